import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import { Key, MetaFile, Metadata, Root, Signature, Snapshot, TargetFile, Targets, Timestamp } from '@tufjs/models'

export type Role = 'root' | 'timestamp' | 'snapshot' | 'targets'
const ROLES: readonly Role[] = ['root', 'timestamp', 'snapshot', 'targets']

/** A key of the publisher's, or of somebody else's. */
export interface Signer {
  readonly key: Key
  readonly privateKey: KeyObject
}

export type KeyKind = 'p256' | 'p384' | 'ed25519' | 'rsa'

export function makeSigner(kind: KeyKind = 'p256', id?: string): Signer {
  const { publicKey, privateKey } = pairOf(kind)
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  return { key: keyOf(kind, pem, id), privateKey }
}

/** The same key under another id, and spelled another way. */
export function respelled({ key, privateKey }: Signer, id: string, spell: (publicKey: string) => string): Signer {
  return {
    key: new Key({ keyID: id, keyType: key.keyType, scheme: key.scheme, keyVal: { public: spell(key.keyVal['public'] ?? '') } }),
    privateKey,
  }
}

function pairOf(kind: KeyKind): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  if (kind === 'ed25519') return generateKeyPairSync('ed25519')
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  return generateKeyPairSync('ec', { namedCurve: kind === 'p256' ? 'P-256' : 'P-384' })
}

const SCHEMES: Readonly<Record<KeyKind, readonly [keyType: string, scheme: string]>> = {
  p256: ['ecdsa', 'ecdsa-sha2-nistp256'],
  p384: ['ecdsa', 'ecdsa-sha2-nistp384'],
  ed25519: ['ed25519', 'ed25519'],
  rsa: ['rsa', 'rsassa-pss-sha256'],
}

function keyOf(kind: KeyKind, pem: string, id: string | undefined): Key {
  const [keyType, scheme] = SCHEMES[kind]
  return new Key({ keyID: id ?? createHash('sha256').update(pem).digest('hex'), keyType, scheme, keyVal: { public: pem } })
}

export function signatureBy({ key, privateKey }: Signer, bytes: Buffer): Signature {
  const padding = key.keyType === 'rsa' ? { padding: 6, saltLength: 32 } : {}
  const hash = key.scheme === 'ed25519' ? null : key.scheme.endsWith('384') ? 'sha384' : 'sha256'
  return new Signature({ keyID: key.keyID, sig: sign(hash, bytes, { key: privateKey, ...padding }).toString('hex') })
}

type Signed = Root | Timestamp | Snapshot | Targets

/** A file as a repository serves it. */
export function signed(content: Signed, signers: readonly Signer[]): Buffer {
  const metadata = new Metadata<Signed>(content)
  for (const signer of signers) metadata.sign((bytes) => signatureBy(signer, bytes))
  return Buffer.from(JSON.stringify(metadata.toJSON()))
}

export const DAY = 86_400

export function inSeconds(seconds: number): string {
  return `${new Date(Date.now() + 1000 * seconds).toISOString().slice(0, 19)}Z`
}

export interface RoleKeys {
  readonly signers: readonly Signer[]
  readonly threshold?: number
}

type Hashes = Readonly<Record<string, string>>
const sha256Of = (bytes: Buffer): Hashes => ({ sha256: createHash('sha256').update(bytes).digest('hex') })

/** What one state of the repository is to look like; all of it optional, for attackers to be exact about. */
export interface Release {
  readonly version?: number
  readonly expiresInSeconds?: Partial<Readonly<Record<Role, number>>>
  /** Of all files, as written. */
  readonly expires?: string
  readonly versions?: Partial<Readonly<Record<'timestamp' | 'snapshot' | 'targets', number>>>
  /** More metadata files that the snapshot lists, with their versions. */
  readonly listed?: Readonly<Record<string, number>>
  readonly target?: object
  readonly targetName?: string
  readonly targetHashes?: (bytes: Buffer) => Hashes
  readonly targetLength?: number
  readonly withHashes?: boolean
}

export const TRUSTED_ROOT = { mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1', tlogs: [], generation: 1 }

/**
 * A TUF repository of one publisher, kept in `files` by path: what is served can be changed, taken away, or put back by any attacker
 * who sits between.
 */
export class TufRepository {
  readonly files = new Map<string, Buffer>()
  readonly keys: Record<Role, RoleKeys>
  readonly isConsistent: boolean
  rootVersion = 0

  constructor(keys: Partial<Record<Role, RoleKeys>> = {}, isConsistent = true) {
    const own = ROLES.map((role) => [role, keys[role] ?? { signers: [makeSigner()] }])
    this.keys = Object.fromEntries(own) as Record<Role, RoleKeys>
    this.isConsistent = isConsistent
  }

  /** The next root, signed by the keys of the one before and by its own. */
  rotate(keys: Partial<Record<Role, RoleKeys>> = {}, expiresInSeconds = 365 * DAY): Buffer {
    const before = this.keys.root.signers
    Object.assign(this.keys, keys)
    const signers = [...new Map([...before, ...this.keys.root.signers].map((signer) => [signer.key.keyID, signer])).values()]
    return this.putRoot(this.rootVersion + 1, signers, expiresInSeconds)
  }

  putRoot(version: number, signers: readonly Signer[], expiresInSeconds = 365 * DAY): Buffer {
    const root = new Root({ version, specVersion: '1.0.31', expires: inSeconds(expiresInSeconds), consistentSnapshot: this.isConsistent })
    for (const role of ROLES) {
      for (const { key } of this.keys[role].signers) root.addKey(key, role)
      Object.assign(root.roles[role]!, { threshold: this.keys[role].threshold ?? 1 })
    }
    const file = signed(root, signers)
    this.files.set(`${version}.root.json`, file)
    this.rootVersion = Math.max(version, this.rootVersion)
    return file
  }

  /** Targets, snapshot and timestamp of one version, each signed by its keys. */
  release(release: Release = {}): void {
    const { version = 1, versions = {}, withHashes = true } = release
    const target = Buffer.from(JSON.stringify(release.target ?? { ...TRUSTED_ROOT, generation: version }))
    const targets = this.putTargets(release, target, versions.targets ?? version)
    const described = (bytes: Buffer, at: number): MetaFile =>
      new MetaFile({ version: at, ...(withHashes ? { length: bytes.length, hashes: sha256Of(bytes) } : {}) })
    const more = Object.entries(release.listed ?? {}).map(([name, at]) => [name, new MetaFile({ version: at })])
    const snapshotVersion = versions.snapshot ?? version
    const snapshot = signed(
      new Snapshot({
        ...this.common(release, 'snapshot', snapshotVersion),
        meta: { 'targets.json': described(targets, versions.targets ?? version), ...Object.fromEntries(more) },
      }),
      this.keys.snapshot.signers,
    )
    this.files.set(this.isConsistent ? `${snapshotVersion}.snapshot.json` : 'snapshot.json', snapshot)
    const timestamp = new Timestamp({
      ...this.common(release, 'timestamp', versions.timestamp ?? version),
      snapshotMeta: described(snapshot, snapshotVersion),
    })
    this.files.set('timestamp.json', signed(timestamp, this.keys.timestamp.signers))
  }

  common(release: Release, role: Role, version: number): { version: number; specVersion: string; expires: string } {
    return { version, specVersion: '1.0.31', expires: release.expires ?? inSeconds(release.expiresInSeconds?.[role] ?? 7 * DAY) }
  }

  private putTargets(release: Release, target: Buffer, version: number): Buffer {
    const path = release.targetName ?? 'trusted_root.json'
    const hashes = { ...(release.targetHashes ?? sha256Of)(target) }
    const file = new TargetFile({ path, length: release.targetLength ?? target.length, hashes })
    const targets = signed(
      new Targets({ ...this.common(release, 'targets', version), targets: { [path]: file } }),
      this.keys.targets.signers,
    )
    this.files.set(this.isConsistent ? `${version}.targets.json` : 'targets.json', targets)
    const digest = sha256Of(target)['sha256'] ?? ''
    const at = path.lastIndexOf('/') + 1
    this.files.set(`targets/${path.slice(0, at)}${this.isConsistent ? `${digest}.` : ''}${path.slice(at)}`, target)
    return targets
  }

  /** What a site pins. */
  pinned(version = 1): object {
    return JSON.parse(this.files.get(`${version}.root.json`)?.toString() ?? '{}') as object
  }
}

export interface ServedRepository {
  /** Ends in `/`. */
  readonly url: string
  readonly asked: string[]
  close(): Promise<void>
}

/** Serves what the repository has at the time of the request, over real HTTP. `answer` may do so itself, by returning true. */
export async function serveRepository(
  repository: TufRepository,
  answer: (path: string, response: ServerResponse) => boolean = () => false,
): Promise<ServedRepository> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = (request.url ?? '').slice(1)
    asked.push(path)
    response.setHeader('access-control-allow-origin', '*')
    if (answer(path, response)) return
    const file = repository.files.get(path)
    if (file === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-length': file.length }).end(file)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('expected a port')
  return {
    url: `http://127.0.0.1:${address.port}/`,
    asked,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
