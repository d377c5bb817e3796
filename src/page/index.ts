/** `sealift/page`: downloads that keep working while the CDN is down, and that are verified before the page gets a file. */

import { DeliveryError } from '../core/errors.ts'
import type { ArtifactRequest, CatalogueFacts, DeliveryEvent } from '../core/wire/delivery-event.ts'
import type { ListedArtifact } from '../core/wire/bridge-message.ts'
import { toSha256 } from '../core/model/ids.ts'
import { startDownload, type Download, type DownloadOptions } from './download.ts'
import { startEngine, unexpectedAnswer, type EngineClient } from './engine-client.ts'
import { guardLinks } from './guard-links.ts'
import { showInterstitial } from './interstitial.ts'
import { createMeshSwitch, type MeshPort } from './mesh-switch.ts'
import { pageClock } from './page-clock.ts'
import { serveNeeds } from './serve-needs.ts'
import { lendSources } from './window-sources.ts'
import { registerWorker, TRANSFERS_LOCK, type WorkerLine } from './worker-registration.ts'

export { DeliveryError, type Failure } from '../core/errors.ts'
export type { AuditRecord } from '../core/audit/record.ts'
export type { ListedArtifact } from '../core/wire/bridge-message.ts'
export type { ArtifactFacts, CatalogueFacts, DeliveryEvent, PieceSpan } from '../core/wire/delivery-event.ts'
export type { SignatureVerdict } from '../core/verify/identity-policy.ts'
export type { Delivered, Download, DownloadOptions } from './download.ts'
export type { Pairing, PairingOptions, PairingReply } from './mesh-pairing.ts'
export type { MeshPort, PeerStats } from './mesh-switch.ts'

export interface RegisterOptions {
  /** The service worker's script, on this origin. Default `/sw.js`. */
  readonly workerUrl?: string
  /** The engine's script. Default `/engine.js`. */
  readonly engineUrl?: string
  /** The site's configuration. Default `/sealift.json`. */
  readonly configUrl?: string
  /** Part of the origin that the service worker looks after. Default `/`. */
  readonly scope?: string
  readonly mesh?: {
    /** The user agreed that other downloaders may see this machine's address. Remembered until it is taken back. Default: as remembered. */
    readonly consent?: boolean
  }
}

/** What `list()` tells. */
export interface Listing {
  readonly catalogue: CatalogueFacts
  readonly artifacts: readonly ListedArtifact[]
}

export interface Sealift {
  /**
   * Starts a download by the catalogue's name.
   * @example
   * const sealift = await register()
   * const download = sealift.download('edge-agent', { platform: 'linux/amd64', onEvent: (event) => console.info(event.kind) })
   * document.querySelector('#cancel')?.addEventListener('click', () => download.cancel())
   * const { file, record, save } = await download.result
   * save()
   * console.log(file.name, record.sources)
   */
  download(name: string, options?: DownloadOptions): Download
  /**
   * Starts a download by SHA-256: works past the catalogue's expiry too.
   * @throws {TypeError} unless it is 64 lower-case hex digits
   * @example
   * const sealift = await register()
   * const { file } = await sealift.downloadDigest('9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08').result
   * console.log(file.name)
   */
  downloadDigest(sha256: string, options?: Pick<DownloadOptions, 'signal' | 'onEvent'>): Download
  /**
   * What the publisher offers, expired or not.
   * @example
   * const sealift = await register()
   * const { catalogue, artifacts } = await sealift.list(AbortSignal.timeout(30_000))
   * console.log(catalogue.freshness, artifacts.map(({ name, version }) => `${name} ${version}`))
   */
  list(signal?: AbortSignal): Promise<Listing>
  /** Every audit record, one line of JSON each, oldest first. */
  audit(signal?: AbortSignal): Promise<readonly string[]>
  /**
   * The same as a file to hand out, JSON Lines: what `sealift audit verify` reads.
   * @example
   * const sealift = await register()
   * const link = document.createElement('a')
   * link.href = URL.createObjectURL(await sealift.auditFile())
   * link.download = 'sealift-audit.jsonl'
   * link.click()
   */
  auditFile(signal?: AbortSignal): Promise<File>
  /** Forgets one stored artifact, or all. */
  forget(sha256?: string): Promise<void>
  /**
   * Turns links to artifacts below `root` (default: the document) into downloads. Returns what stops it.
   * @example
   * const sealift = await register()
   * const stop = sealift.guardLinks(document.body)
   * addEventListener('pagehide', stop)
   */
  guardLinks(root?: ParentNode & Node): () => void
  readonly mesh: MeshPort
  /** True when the service worker sees this page's requests. Downloads work without. */
  readonly hasController: boolean
  /** Takes the service worker out of this browser. Stored artifacts stay. */
  unregister(): Promise<void>
  /** Ends the engine and the mesh of this page. */
  close(): void
}

/**
 * Registers the service worker, starts the engine and, with consent, the mesh. Call it once in a page.
 * @throws {DeliveryError} `insecure-context`, `config-unavailable`, `config-invalid`, `policy-missing`, `engine-lost`
 * @example
 * const sealift = await register()
 * const { file, save } = await sealift.download('edge-agent').result
 * save()
 * console.log(file.name, file.size)
 */
export async function register(options: RegisterOptions = {}): Promise<Sealift> {
  if (!isSecureContext) throw new DeliveryError({ code: 'insecure-context' })
  const scope = new URL(options.scope ?? '/', location.href).href
  const url = (given: string | undefined, byDefault: string): string => new URL(given ?? byDefault, location.href).href
  const never = new AbortController().signal
  // Both start at once. The service worker only adds interception, so it may be late; downloads go without.
  const registering = registerWorker({ workerUrl: url(options.workerUrl, '/sw.js'), scope })
  const engine = await startEngine(
    { engineUrl: url(options.engineUrl, '/engine.js'), configUrl: url(options.configUrl, '/sealift.json') },
    never,
  )
  const worker = await registering
  const lending = lendSources(engine, pageClock)
  const mesh = createMeshSwitch({ engine, lending, clock: pageClock })
  if (options.mesh?.consent !== undefined) mesh.port.setConsent(options.mesh.consent)
  const refreshWorker = createRefresh(worker)
  const start = (request: ArtifactRequest, given: DownloadOptions): Download =>
    holdTransfer(
      startDownload(async () => engine, request, { ...given, onEvent: tellCatalogue(refreshWorker, given.onEvent) }),
      () => void worker.maybeUpdate(),
    )
  let aliases: ReadonlySet<string> | undefined
  const learn = async (signal: AbortSignal): Promise<Listing> => {
    const listing = await list(engine, signal)
    aliases = new Set(listing.artifacts.flatMap((artifact) => artifact.aliases))
    refreshWorker(listing.catalogue)
    return listing
  }
  const stopNeeds = serveNeeds(worker, (request) => start(request, {}).result)

  return {
    download: (name, given = {}) =>
      start({ kind: 'name', name, version: given.version, platform: given.platform, channel: given.channel }, given),
    downloadDigest: (sha256, given = {}) => start({ kind: 'digest', sha256: toSha256(sha256) }, given),
    list: (signal = never) => learn(signal),
    audit: (signal = never) => audit(engine, signal),
    auditFile: async (signal = never) => toFile(await audit(engine, signal)),
    forget: async (sha256) => {
      await engine.call({ type: 'forget', sha256: sha256 === undefined ? undefined : toSha256(sha256) }, { signal: never })
    },
    guardLinks(root = document) {
      // Without a catalogue plain URLs stay plain; whoever needs one hears of it from the download.
      if (aliases === undefined) learn(never).catch(() => undefined)
      return guardLinks(root, {
        scope,
        isAlias: (target) => aliases?.has(target) === true,
        onClick: (request) => void start(request, {}).result.then((delivered) => delivered.save(), reportToPage),
      })
    },
    mesh: mesh.port,
    get hasController() {
      return worker.hasController
    },
    unregister: () => worker.unregister(),
    close() {
      stopNeeds()
      mesh.close()
      lending.server.close()
      engine.close()
    },
  }
}

/** For the service worker's small page only: it stands where a navigation to a virtual URL would have led. */
export function runInterstitial(): Promise<void> {
  const scope = new URL(import.meta.url.replace(/[^/]*$/u, '')).href
  return showInterstitial(
    () => register({ workerUrl: `${scope}sw.js`, engineUrl: `${scope}engine.js`, configUrl: `${scope}sealift.json`, scope }),
    scope,
  )
}

/** Has the service worker read the aliases again whenever this page sees another catalogue than before. */
function createRefresh(worker: WorkerLine): (catalogue: CatalogueFacts) => void {
  let seen: number | undefined
  return ({ version }) => {
    if (version === seen) return
    seen = version
    worker.tell('refresh')
  }
}

function tellCatalogue(tell: (catalogue: CatalogueFacts) => void, onEvent: DownloadOptions['onEvent']): (event: DeliveryEvent) => void {
  return (event) => {
    if (event.kind === 'resolved') tell(event.catalogue)
    onEvent?.(event)
  }
}

/** While it runs, no service worker is replaced under it. */
function holdTransfer(download: Download, onEnd: () => void): Download {
  const settled = download.result.then(
    () => undefined,
    () => undefined,
  )
  void navigator.locks.request(TRANSFERS_LOCK, { mode: 'shared' }, () => settled).then(onEnd)
  return download
}

async function list(engine: EngineClient, signal: AbortSignal): Promise<Listing> {
  const answer = await engine.call({ type: 'list' }, { signal })
  if (answer.type !== 'listed') throw unexpectedAnswer(answer)
  return { catalogue: answer.catalogue, artifacts: answer.artifacts }
}

async function audit(engine: EngineClient, signal: AbortSignal): Promise<readonly string[]> {
  const answer = await engine.call({ type: 'audit' }, { signal })
  if (answer.type !== 'audited') throw unexpectedAnswer(answer)
  return answer.lines
}

function toFile(lines: readonly string[]): File {
  const parts = lines.map((line) => `${line}\n`)
  return new File(parts, 'sealift-audit.jsonl', { type: 'application/jsonl' })
}

/**
 * Draws a pairing code for a camera; without one, the code is copied. What draws is loaded only now.
 * @example
 * const sealift = await register()
 * const pairing = await sealift.mesh.pair()
 * document.body.append(await drawQrCode(pairing.code))
 */
export async function drawQrCode(code: string): Promise<SVGSVGElement> {
  const { drawSquares } = await import('./qr-code.ts')
  return drawSquares(code)
}

/** A link has nobody to reject to; the page's own error handling hears of it. */
function reportToPage(error: unknown): void {
  reportError(error)
}
