import { createHash } from 'node:crypto'
import { mkdtemp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCdnOrigin, type CdnOrigin } from '../../demo/stack/cdn-origin.ts'
import { startSwitchableServer, type SwitchableServer } from '../../demo/stack/switchable-server.ts'
import { toSha256, type Sha256 } from '../../src/core/model/ids.ts'
import type { Clock } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import type { SignaturePolicy } from '../../src/core/verify/identity-policy.ts'
import { publish } from '../../src/node/publish/publish.ts'
import { packageRoot } from '../../src/node/package-root.ts'
import { keySigner, type PublishSigner } from '../../src/node/publish/publish-signer.ts'
import { shellEntry, withShell } from '../../src/node/shell-list.ts'
import { generateSigningKey, readSigningKey } from '../../src/node/signing/signing-key.ts'
import { seededBytes } from '../fakes/seeded-random.ts'

const KIB = 1024
const MIB = 1024 * KIB
const REPOSITORY = 'acme'

/** Pieces of 64 KiB up to a size of 1 MiB, and of 256 KiB above. */
export const FILES = {
  notes: { filename: 'notes-1.0.0.tar.gz', sizeBytes: 200 * KIB + 7, pieces: 4 },
  agent: { filename: 'agent-2.0.0.tar.gz', sizeBytes: 3 * MIB + 5, pieces: 13 },
  /** More than a service worker assembles alone. */
  image: { filename: 'image-3.0.0.iso', sizeBytes: 17 * MIB, pieces: 68 },
} as const
export type Name = keyof typeof FILES

/** Nobody answers there. */
export const ALIAS = 'http://downloads.acme.invalid/notes-1.0.0.tar.gz'

export interface Publication {
  readonly siteDir: string
  readonly digests: Readonly<Record<Name, string>>
  /** Who signed, as the configuration says it. Default: `signer`. */
  readonly trust?: { readonly catalogueSigners: readonly object[]; readonly artifactSigners: readonly object[] }
  /** PEM of the key that signs by default, and of somebody else's. */
  readonly signer: string
  readonly stranger: string
  /** Publishes a newer catalogue that withdraws these. */
  deny(denied: readonly Name[]): Promise<void>
  remove(): Promise<void>
}

/** Another file to publish, of a type that its publisher claims. */
interface MoreFile {
  readonly filename: string
  readonly content: string | Uint8Array
  readonly mediaType: string
}

interface PublicationTerms {
  /** How soon pages ask for a newer catalogue. Default: in an hour. */
  readonly refreshSeconds?: number
  /** Whose time it is published at. */
  readonly clock?: Clock
  /** Default: a key. */
  readonly signer?: PublishSigner
  readonly more?: readonly MoreFile[]
}

/** Publishes three files and whatever else is wanted. */
export async function publishFiles(terms: PublicationTerms = {}): Promise<Publication> {
  const { more = [], ...when } = terms
  const dir = await mkdtemp(join(tmpdir(), 'sealift-site-'))
  const [inbox, siteDir] = [join(dir, 'inbox'), join(dir, 'site')]
  await mkdir(inbox)
  const digests = { notes: '', agent: '', image: '' }
  for (const [seed, name] of (['notes', 'agent', 'image'] as const).entries()) {
    const { filename, sizeBytes } = FILES[name]
    const bytes = manyBytes(seed + 1, sizeBytes)
    digests[name] = sha256Of(bytes)
    await writeFile(join(inbox, filename), bytes)
  }
  for (const { filename, content } of more) await writeFile(join(inbox, filename), content)
  const types = Object.fromEntries(more.map(({ filename, mediaType }) => [filename, { mediaType }]))
  await writeFile(
    join(inbox, 'sealift.publish.json'),
    JSON.stringify({ schema: 1, files: { [FILES.notes.filename]: { aliases: [ALIAS] }, ...types } }),
  )
  const files = await generateSigningKey(join(dir, 'key'))
  const signer = terms.signer ?? keySigner(await readSigningKey(files.privateKeyPath))
  const publishNow = async (denied: readonly Name[]): Promise<void> => {
    const digest = (name: Name): Sha256 => toSha256(digests[name])
    const what = { dir: inbox, site: siteDir, repository: REPOSITORY, denied: denied.map(digest), ...when, signer }
    await publish(what, new AbortController().signal)
  }
  await publishNow([])
  const stranger = await generateSigningKey(join(dir, 'stranger'))
  return {
    siteDir,
    digests,
    signer: files.publicKeyPem,
    trust: trustIn(signer.policy),
    stranger: stranger.publicKeyPem,
    deny: publishNow,
    remove: () => rm(dir, { recursive: true, force: true }),
  }
}

function trustIn({ anyOf, trustedRoot }: SignaturePolicy): NonNullable<Publication['trust']> {
  const signers = anyOf.map((signer) =>
    signer.kind === 'key' ? { publicKey: signer.publicKeyPem } : { identity: signer.identity, issuer: signer.issuer },
  )
  return { catalogueSigners: signers, artifactSigners: signers, ...(trustedRoot === undefined ? {} : { trustedRoot }) }
}

/** Pieces that differ from each other, without working out every byte. */
export function manyBytes(seed: number, sizeBytes: number): Uint8Array {
  const block = seededBytes(seed, 64 * KIB)
  const bytes = new Uint8Array(sizeBytes)
  for (let at = 0; at < sizeBytes; at += block.length) {
    block.set([at >> 16, at >> 24])
    bytes.set(block.subarray(0, Math.min(block.length, sizeBytes - at)), at)
  }
  return bytes
}

/** What the portal answers for one path. */
export interface PortalFile {
  readonly type: 'text/html' | 'text/javascript' | 'application/json' | 'text/plain'
  readonly body: string
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Closes the connection after so many bytes, without ever having said how many there are. */
  readonly cutAfterBytes?: number
}

/** A portal on an origin of its own, with its CDN. */
export interface Site {
  /** Ends in `/`. */
  readonly url: string
  /** By path. A test may change it. */
  readonly files: Map<string, PortalFile>
  readonly requests: { readonly path: string; readonly status: number }[]
  readonly portal: SwitchableServer
  readonly cdn: CdnOrigin
  /** The service worker's script as it is served; `edition` is what it answers at `/edition`. */
  workerScript(edition: string): PortalFile
  /** The same script as it was built, without a list of files to keep. */
  readonly builtWorkerScript: PortalFile
  close(): Promise<void>
}

export interface SiteChoices {
  /** PEM of whose artifacts count. Default: those of who signed. */
  readonly artifactSigner?: string
  /** Default: none. */
  readonly minimumVersion?: number
  /** Where the portal says that artifacts are. Default: its CDN. */
  readonly origins?: readonly { readonly id: string; readonly url: string }[]
  /** Default: none. */
  readonly gateways?: readonly { readonly id: string; readonly url: string; readonly addressSpace?: 'local' | 'loopback' }[]
  /** Default: that of the product. */
  readonly preset?: 'cdn-first' | 'lan-first'
  /** The `mesh` section. Default: off. */
  readonly mesh?: object
  /** Default: any free one. */
  readonly port?: number
  /** The name that pages know the CDN by; whoever cannot resolve it has no CDN. Default: its address. */
  readonly cdnHost?: string
}

export async function startSite(publication: Publication, choices: SiteChoices = {}): Promise<Site> {
  const artifacts: ReadonlySet<string> = new Set(Object.values(publication.digests))
  const cdn = await startCdnOrigin({
    id: 'cdn',
    siteDir: publication.siteDir,
    isArtifact: (sha256) => artifacts.has(sha256),
    rateBytesPerSecond: undefined,
    onChange: () => undefined,
  })
  const files = new Map([...PAGES, ...(await readScripts())])
  const script = files.get('/sw.js')?.body ?? ''
  const shell = [...files]
    .filter(([path]) => !path.endsWith('sw.js'))
    .map(([path, { body }]) => shellEntry(path.slice(1), Buffer.from(body)))
  const workerScript = (edition: string): PortalFile =>
    javascript(withShell(`self.edition=${JSON.stringify(edition)};${TELL_EDITION}\n${script}`, shell))
  files.set('/sw.js', workerScript('1'))
  const { artifactSigner, minimumVersion } = choices
  const signers = [{ publicKey: publication.signer }]
  const signed = publication.trust ?? { catalogueSigners: signers, artifactSigners: signers }
  const trust = {
    ...signed,
    ...(artifactSigner === undefined ? {} : { artifactSigners: [{ publicKey: artifactSigner }] }),
    minimumVersion,
  }
  const cdnUrl = new URL(cdn.url)
  if (choices.cdnHost !== undefined) cdnUrl.hostname = choices.cdnHost
  files.set('/sealift.json', {
    type: 'application/json',
    body: JSON.stringify({
      schema: 1,
      repository: REPOSITORY,
      origins: choices.origins ?? [{ id: 'cdn', url: cdnUrl.href }],
      gateways: choices.gateways,
      preset: choices.preset,
      mesh: choices.mesh,
      trust,
    }),
  })
  const requests: { path: string; status: number }[] = []
  const portal = await startSwitchableServer((request, response) => {
    const path = request.url === '/' ? '/index.html' : (request.url ?? '')
    const file = files.get(path)
    requests.push({ path, status: file === undefined ? 404 : (file.status ?? 200) })
    if (file === undefined) response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n')
    else sendPortalFile(file, response)
  }, choices.port ?? 0)
  return {
    url: portal.url,
    files,
    requests,
    portal,
    cdn,
    workerScript,
    builtWorkerScript: javascript(script),
    close: async () => {
      await portal.stop()
      await cdn.close()
    },
  }
}

function sendPortalFile(file: PortalFile, response: ServerResponse): void {
  const { type, body, status = 200, headers, cutAfterBytes } = file
  const common = { 'content-type': type, 'cache-control': 'no-cache', ...headers }
  if (cutAfterBytes === undefined) {
    response.writeHead(status, common).end(body)
    return
  }
  // The end of the connection is the end of the body: nothing tells a client that some is missing.
  response.shouldKeepAlive = false
  response.useChunkedEncodingByDefault = false
  response.writeHead(status, { ...common, connection: 'close' }).end(body.slice(0, cutAfterBytes))
}

export function javascript(body: string, headers: Readonly<Record<string, string>> = {}): PortalFile {
  return { type: 'text/javascript', body, headers }
}

/** So that a test can see which script is in charge. */
const TELL_EDITION = `self.addEventListener('fetch',e=>{if(new URL(e.request.url).pathname==='/edition')e.respondWith(new Response(self.edition))});`

const PAGES: readonly (readonly [string, PortalFile])[] = [
  ['/index.html', { type: 'text/html', body: '<!doctype html><title>portal</title><body><script type="module" src="/app.js"></script>' }],
  ['/app.js', javascript("import { register } from '/page.js'\nwindow.sealift = await register()\n")],
  // A page of this origin that does not run the SDK.
  ['/plain.html', { type: 'text/html', body: '<!doctype html><title>plain</title><body>' }],
]

async function readScripts(): Promise<readonly (readonly [string, PortalFile])[]> {
  const dist = join(packageRoot(), 'dist')
  const chunks = (await readdir(join(dist, 'chunks'))).filter((name) => name.endsWith('.js')).map((name) => `chunks/${name}`)
  return await Promise.all(
    ['page.js', 'element.js', 'engine.js', 'trust-refresh.js', 'sw.js', 'noop-sw.js', ...chunks].map(
      async (name) => [`/${name}`, javascript(await readFile(join(dist, name), 'utf8'))] as const,
    ),
  )
}

/** Pieces of an artifact, by how often the CDN was asked for each. */
export function piecesAsked(site: Site, publication: Publication, name: Name): readonly number[] {
  const { sizeBytes, pieces } = FILES[name]
  const length = sizeBytes > MIB ? 256 * KIB : 64 * KIB
  const asked = Array.from({ length: pieces }, () => 0)
  for (const { path, start, end } of site.cdn.requests) {
    if (!path.endsWith(publication.digests[name])) continue
    for (let piece = Math.floor(start / length); piece * length < end; piece++) asked[piece] = (asked[piece] ?? 0) + 1
  }
  return asked
}

/** What `piecesAsked` tells when nothing was fetched in vain. */
export function everyPieceOnce(name: Name): readonly number[] {
  return Array.from({ length: FILES[name].pieces }, () => 1)
}

/** Hex SHA-256 of a file on disk. */
export async function hashFile(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
