import { encodeJson } from '../core/json/json.ts'
import { failureOf, type Failure } from '../core/errors.ts'
import { keptKey, readKept, toRecord, type Kept, type TrustStore } from './kept.ts'
import { requireFresh } from './metadata.ts'
import { refused } from './refusal.ts'
import { fetchFile, fetchNamed, type Wanted } from './repository.ts'
import {
  acceptRoot,
  acceptSnapshot,
  acceptTarget,
  acceptTargets,
  acceptTimestamp,
  expiresAtSeconds,
  isDescribed,
  snapshotNamed,
  targetNamed,
  targetsNamed,
  type Described,
  type Trusted,
} from './trusted.ts'
import { TUF_LIMITS } from './tuf-limits.ts'

export interface TrustRefreshOptions {
  /** Where the repository's metadata lies. Ends in `/`. */
  readonly repositoryUrl: string
  /** Where its targets lie. Ends in `/`. Default: `targets/` below the metadata. */
  readonly targetsUrl?: string | undefined
  /** The `root.json` of the repository that everything is derived from: parsed JSON, pinned by the site. */
  readonly initialRoot: object
  /** Default `trusted_root.json`. */
  readonly targetName?: string | undefined
  /** Lasts from visit to visit. */
  readonly store: TrustStore
}

export interface RefreshedRoot {
  /** Sigstore `trusted_root.json`, parsed JSON, with a chain of signatures from the pinned root. */
  readonly trustedRoot: object
  /** Version of the signed list that it stands in, and of the root that this list was judged by. */
  readonly version: number
  readonly rootVersion: number
  /** Until when its repository vouches for it. May have passed for one that was kept. */
  readonly expiresAtSeconds: number
  /** `repository`: confirmed by it just now. `kept`: from an earlier visit, verified again. */
  readonly source: 'repository' | 'kept'
  /** When the repository last confirmed it; undefined when that was never, which `kept` may be after a refresh that broke off. */
  readonly refreshedAtSeconds: number | undefined
  /** Why it could not be confirmed now. */
  readonly failure: Failure | undefined
}

type Answer = Omit<RefreshedRoot, 'source' | 'failure'>

/** What one refresh works on. `kept` moves on with every file that was verified. */
interface Session {
  readonly options: TrustRefreshOptions
  readonly targetName: string
  readonly nowSeconds: () => number
  kept: Kept
}

/**
 * The trusted root of an earlier refresh, verified again from the pinned root on. Asks nothing of the network.
 * @throws {DeliveryError} `trust-refresh-failed` for the pinned root itself; what the store throws
 */
export async function recallTrustedRoot(options: TrustRefreshOptions, signal: AbortSignal): Promise<RefreshedRoot | undefined> {
  const answer = answerOf((await open(options, () => 0, signal)).kept)
  return answer && { ...answer, source: 'kept', failure: undefined }
}

/**
 * Asks the repository for a newer trusted root, by the client workflow of The Update Framework. What it does not confirm, for whatever
 * reason, changes nothing: then the answer is what was kept, with the failure beside it.
 * @param nowSeconds Unix time, for what expires
 * @throws {DeliveryError} `trust-refresh-failed` when nothing is kept either; what the store throws; `signal.reason` itself
 */
export async function updateTrustedRoot(
  options: TrustRefreshOptions,
  nowSeconds: () => number,
  signal: AbortSignal,
): Promise<RefreshedRoot> {
  const session = await open(options, nowSeconds, signal)
  const failed = await updateInTime(session, signal)
  signal.throwIfAborted()
  const answer = answerOf(session.kept)
  const failure = failed && failureOf(failed.error)
  if (answer !== undefined && failed === undefined) return { ...answer, source: 'repository', failure }
  if (answer !== undefined && failure !== undefined) return { ...answer, source: 'kept', failure }
  throw failed?.error
}

async function open(options: TrustRefreshOptions, nowSeconds: () => number, signal: AbortSignal): Promise<Session> {
  const { repositoryUrl, targetName = 'trusted_root.json' } = options
  for (const url of [repositoryUrl, targetsUrlOf(options)])
    if (!url.endsWith('/')) throw new TypeError(`expected a URL that ends in "/", got ${url}`)
  const record = await options.store.get(keptKey(repositoryUrl), signal)
  return { options, targetName, nowSeconds, kept: readKept(record, encodeJson(options.initialRoot), targetName) }
}

/** What went wrong; a slow repository, too, only fails the refresh. */
async function updateInTime(session: Session, signal: AbortSignal): Promise<{ readonly error: unknown } | undefined> {
  const stop = new AbortController()
  const onAbort = (): void => stop.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => stop.abort(refused('root', 'unreachable', 'the repository takes too long')), TUF_LIMITS.refreshMs)
  try {
    await update(session, stop.signal)
    return undefined
  } catch (error) {
    return { error }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

async function update(session: Session, signal: AbortSignal): Promise<void> {
  await followRoots(session, signal)
  requireFresh('root', session.kept.trusted.root, session.nowSeconds())
  const timestamp = await fetchNamed(metadataFile(session, 'timestamp', undefined), signal)
  await move(session, (trusted) => acceptTimestamp(trusted, timestamp, session.nowSeconds()), signal)
  const snapshot = await takeSnapshot(session, signal)
  await move(session, (trusted) => acceptSnapshot(trusted, snapshot, session.nowSeconds()), signal)
  // Kept together: a list without what it lists would leave nothing to go on with.
  const listed = acceptTargets(session.kept.trusted, await takeTargets(session, signal), session.nowSeconds())
  const target = await takeTarget(session, listed, signal)
  await keep(session, { trusted: acceptTarget(listed, target, session.targetName), refreshedAtSeconds: session.nowSeconds() }, signal)
}

/** Section 5.3: one by one, so that each is signed by the one before. Kept at each step, so that a long way is gone in several visits. */
async function followRoots(session: Session, signal: AbortSignal): Promise<void> {
  for (let i = 0; i < TUF_LIMITS.rotationsPerRefresh; i++) {
    const version = session.kept.trusted.root.signed.version + 1
    const url = `${session.options.repositoryUrl}${version}.root.json`
    const bytes = await fetchFile({ role: 'root', url, limitBytes: TUF_LIMITS.rootBytes }, signal)
    if (bytes === undefined) return
    await move(session, (trusted) => acceptRoot(trusted, bytes), signal)
  }
}

/** The file that is kept, if it is the one that is named; else the repository's. */
async function takeSnapshot(session: Session, signal: AbortSignal): Promise<Uint8Array> {
  const { trusted } = session.kept
  const named = snapshotNamed(trusted)
  const known = trusted.snapshot?.signed.version === named.version ? trusted.snapshot.bytes : undefined
  return known !== undefined && isDescribed(known, named) ? known : await fetchNamed(metadataFile(session, 'snapshot', named), signal)
}

async function takeTargets(session: Session, signal: AbortSignal): Promise<Uint8Array> {
  const { trusted } = session.kept
  const named = targetsNamed(trusted)
  const known = trusted.targets?.signed.version === named.version ? trusted.targets.bytes : undefined
  return known !== undefined && isDescribed(known, named) ? known : await fetchNamed(metadataFile(session, 'targets', named), signal)
}

async function takeTarget(session: Session, listed: Trusted, signal: AbortSignal): Promise<Uint8Array> {
  const known = session.kept.trusted.target?.bytes
  const named = targetNamed(listed, session.targetName)
  return known !== undefined && isDescribed(known, named) ? known : await fetchNamed(targetFile(session, listed), signal)
}

async function move(session: Session, accept: (trusted: Trusted) => Trusted, signal: AbortSignal): Promise<void> {
  await keep(session, { ...session.kept, trusted: accept(session.kept.trusted) }, signal)
}

async function keep(session: Session, kept: Kept, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await session.options.store.put(keptKey(session.options.repositoryUrl), toRecord(kept), signal)
  session.kept = kept
}

type NamedRole = 'timestamp' | 'snapshot' | 'targets'
const LIMIT_BYTES: Readonly<Record<NamedRole, number>> = {
  timestamp: TUF_LIMITS.timestampBytes,
  snapshot: TUF_LIMITS.snapshotBytes,
  targets: TUF_LIMITS.targetsBytes,
}

function metadataFile(session: Session, role: NamedRole, named: (Described & { readonly version: number }) | undefined): Wanted {
  const { consistentSnapshot } = session.kept.trusted.root.signed
  const prefix = consistentSnapshot && named !== undefined ? `${named.version}.` : ''
  const url = `${session.options.repositoryUrl}${prefix}${role}.json`
  return { role, url, limitBytes: Math.min(LIMIT_BYTES[role], named?.length ?? Number.POSITIVE_INFINITY) }
}

function targetFile({ options, targetName }: Session, listed: Trusted): Wanted {
  const { length, digest } = targetNamed(listed, targetName)
  const at = targetName.lastIndexOf('/') + 1
  const prefix = listed.root.signed.consistentSnapshot ? `${encodeURIComponent(digest)}.` : ''
  const url = `${targetsUrlOf(options)}${targetName.slice(0, at)}${prefix}${targetName.slice(at)}`
  return { role: 'target', url, limitBytes: Math.min(TUF_LIMITS.trustedRootBytes, length) }
}

function targetsUrlOf({ repositoryUrl, targetsUrl }: TrustRefreshOptions): string {
  return targetsUrl ?? `${repositoryUrl}targets/`
}

function answerOf({ trusted, refreshedAtSeconds }: Kept): Answer | undefined {
  const { target, targets, root } = trusted
  if (target === undefined || targets === undefined) return undefined
  return {
    trustedRoot: target.json,
    version: targets.signed.version,
    rootVersion: root.signed.version,
    expiresAtSeconds: expiresAtSeconds(trusted),
    refreshedAtSeconds,
  }
}
