import { createHash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { TrustConfig } from '../../src/core/manifest/site-config.ts'
import { writeTrust } from '../../src/core/manifest/trust-field.ts'
import type { SignaturePolicy } from '../../src/core/verify/identity-policy.ts'
import { publish, type PublishOptions } from '../../src/node/publish/publish.ts'
import type { PublishSigner } from '../../src/node/publish/publish-signer.ts'
import { ANY_PROVENANCE } from '../../src/core/verify/provenance-policy.ts'
import { startFaultServer, type FaultServer } from '../faults/fault-server.ts'
import { bytesOf, makeFolder, makeKeySigner, never } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { thisPlatform } from '../../src/cli/values.ts'
import { runCli, type CliResult } from './run-cli.ts'
import type { Terminal } from '../../src/cli/terminal.ts'

// One signal ends all requests of a download.
setMaxListeners(0)

/** What the machine that runs the tests asks for. */
export const PLATFORM = thisPlatform()
export const fileOf = (version: string): string => `agent-${version}-${PLATFORM.replaceAll('/', '-')}.tar.gz`
export const FILE = fileOf('1.2.3')
export const PIECE_BYTES = 64 * 1024
export const BYTES = bytesOf(12 * PIECE_BYTES + 5)
export const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
export const DIGEST = digestOf(BYTES)
/** What an unfinished download consists of. */
export const PART = `.${FILE}.sealift-part-${DIGEST.slice(0, 16)}`
export const JOURNAL = `.${FILE}.sealift-state-${DIGEST.slice(0, 16)}`

type Terms = Partial<Omit<PublishOptions, 'signer'>>

/** A publisher, its servers, and a machine that downloads. */
export interface Release {
  readonly site: string
  readonly signer: PublishSigner
  /** Everything is below it: what is downloaded goes to `out`. */
  readonly work: string
  readonly out: string
  readonly config: string
  readonly servers: readonly FaultServer[]
  /** One more server of the same site. */
  another(): Promise<FaultServer>
  /** A sealift.json with these origins. */
  configOf(servers: readonly FaultServer[], name: string, trust?: Partial<TrustConfig>): Promise<string>
  publish(files: Readonly<Record<string, Uint8Array>>, over?: Terms): Promise<void>
  get(args?: readonly string[], around?: Partial<Terminal>): Promise<CliResult>
  args(args?: readonly string[]): readonly string[]
  /** Names of what lies where downloads go. */
  names(): Promise<readonly string[]>
}

export interface ReleaseOptions {
  readonly servers?: number
  readonly published?: Terms
  /** Default: a key. */
  readonly signer?: PublishSigner
  /** What else the machine is told of trust. */
  readonly trust?: Partial<TrustConfig>
  /** Whom the machine trusts, if not who signed. */
  readonly catalogueSigner?: PublishSigner
  readonly artifactSigner?: PublishSigner
}

export async function release(options: ReleaseOptions = {}): Promise<Release> {
  const work = await temporaryFolder()
  const [site, out] = [join(work, 'site'), await temporaryFolder()]
  const signer = options.signer ?? (await makeKeySigner())
  const publishInto: Release['publish'] = async (files, over = {}) =>
    void (await publish({ dir: await makeFolder(files), site, repository: 'acme', signer, pieceLengthBytes: PIECE_BYTES, ...over }, never))
  await publishInto({ [FILE]: BYTES }, options.published)
  const servers: FaultServer[] = []
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.close()))))
  const another: Release['another'] = async () => {
    const server = await startFaultServer({ siteDir: site, isArtifact: (sha256) => sha256 === DIGEST })
    servers.push(server)
    return server
  }
  const [catalogue, artifacts] = [options.catalogueSigner ?? signer, options.artifactSigner ?? signer]
  const configOf: Release['configOf'] = async (places, name, over = options.trust) => {
    const trust = writeTrust({ ...trustOf(catalogue.policy, artifacts.policy), ...over })
    const origins = places.map(({ url }, i) => ({ id: `cdn-${i + 1}`, url }))
    await writeFile(join(work, name), JSON.stringify({ schema: 1, repository: 'acme', origins, trust }))
    return join(work, name)
  }
  for (let i = 0; i < (options.servers ?? 1); i++) await another()
  const config = await configOf(servers, 'sealift.json')
  const args: Release['args'] = (more = ['agent']) => ['get', '--config', config, '--out', out, '--state', join(work, 'state'), ...more]
  return {
    site,
    signer,
    work,
    out,
    config,
    servers,
    another,
    configOf,
    publish: publishInto,
    args,
    get: (more, around) => runCli(args(more), around),
    names: async () => (await readdir(out)).toSorted(),
  }
}

function trustOf(catalogue: SignaturePolicy, artifacts: SignaturePolicy): TrustConfig {
  return {
    catalogueSigners: catalogue.anyOf,
    artifactSigners: artifacts.anyOf,
    minSigners: { catalogue: 1, artifacts: 1 },
    trustedRoot: catalogue.trustedRoot,
    thresholds: catalogue.thresholds,
    provenance: ANY_PROVENANCE,
    minimumVersion: 0,
    version: 0,
    updates: undefined,
  }
}

/** One of the servers. */
export function serverOf({ servers }: Release, at = 0): FaultServer {
  const server = servers[at]
  if (server === undefined) throw new RangeError(`expected server ${at}`)
  return server
}

/** What an unfinished download has written down as safe, by its own journal. */
export async function piecesKept({ out }: Release): Promise<ReadonlySet<number>> {
  const text = await readFile(join(out, JOURNAL), 'utf8').catch(() => '')
  return new Set([...text.matchAll(/^(\d+) .+\n/gm)].map(([, index]) => Number(index)))
}

/** Piece indexes that a server was asked for, from the ranges of its requests. */
export function piecesAsked(server: FaultServer): ReadonlySet<number> {
  const asked = new Set<number>()
  for (const { isArtifact, range } of server.requests) {
    if (!isArtifact) continue
    const { start, end } = range ?? { start: 0, end: BYTES.length }
    for (let at = Math.floor(start / PIECE_BYTES); at * PIECE_BYTES < end; at++) asked.add(at)
  }
  return asked
}
