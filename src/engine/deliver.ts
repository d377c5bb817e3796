import { nowSeconds } from '../core/clock.ts'
import { DeliveryError, failureOf, HANDLING, type Failure } from '../core/errors.ts'
import { chooseByDigest } from '../core/manifest/choose.ts'
import type { SourceId } from '../core/model/ids.ts'
import type { ArtifactFacts, ArtifactRequest, DeliveredArtifact, DeliveryEvent } from '../core/wire/delivery-event.ts'
import { LIMITS } from '../core/limits.ts'
import type { TrustState } from '../core/verify/trust-chain.ts'
import type { BundleOpinion, BundleVerdict } from '../core/verify/vouch.ts'
import { createAbort } from '../scheduler/abort.ts'
import { deliverPieces } from '../scheduler/delivery.ts'
import { createPrefixHash } from '../scheduler/prefix-hash.ts'
import type { DeliveryObserver } from '../scheduler/observer.ts'
import { isReadable, requireWhole } from './whole-digest.ts'
import type { ArtifactFile } from '../stores/artifact-file.ts'
import { followOther } from './follow.ts'
import { catalogueFacts, type CatalogueDesk, type CatalogueQuestion } from './catalogue-desk.ts'
import { judgeArtifact } from './judge.ts'
import { artifactLock, type EngineParts } from './parts.ts'
import { createProgress, spansOf } from './progress.ts'
import { writeRecord, type Ending } from './record.ts'
import { chooseArtifact, openArtifact, policyFor, type Chosen, type Resolved } from './resolve.ts'
import { openTask, type Task } from './task.ts'
import type { Withdrawals } from './withdrawals.ts'

export interface Delivered extends DeliveredArtifact {
  /** Verified, whole, held by the browser. */
  readonly blob: Blob
}

export interface DeliverRooms {
  readonly parts: EngineParts
  readonly desk: CatalogueDesk
  readonly emit: (event: DeliveryEvent) => void
  readonly withdrawals: Withdrawals
}

/** An altered piece is fetched again; a disk that alters more than this is broken. */
const MOST_REPAIRS = 3
const CLEAN_UP_MS = 5000

/**
 * One artifact, start to end: catalogue, choice, pieces, whole digest, signatures, record. The blob exists only after all of it.
 * @throws {DeliveryError} any; what was refused is forgotten, what merely did not arrive is kept for the next try
 */
export async function deliverArtifact(rooms: DeliverRooms, request: ArtifactRequest, signal: AbortSignal): Promise<Delivered> {
  const { parts, emit } = rooms
  const startedAtSeconds = nowSeconds(parts.clock)
  emit({ kind: 'phase', phase: 'resolving' })
  const troubles = new Map<SourceId, readonly Failure[]>()
  const tell: CatalogueQuestion['tell'] = (source, failure) => {
    troubles.set(source, [failure])
    emit({ kind: 'trouble', source, tier: parts.hub.tierOf(source), failure, isBanned: false })
  }
  const chosen = await chooseArtifact(parts, rooms.desk, { request, tell }, signal)
  const artifact = chosen.entry.mesh ? chosen.entry.artifact.sha256 : undefined
  const task = openTask(parts, { policy: policyFor(parts, chosen), artifact, troubles })
  const withdrawal = rooms.withdrawals.watch(chosen.entry, signal)
  try {
    return await deliverChosen({ ...rooms, startedAtSeconds, task, chosen }, withdrawal.signal)
  } catch (error) {
    if (isRefusal(error)) await forgetDocuments(parts, task).catch(() => undefined)
    throw error
  } finally {
    withdrawal.stop()
    task.close()
  }
}

interface Started extends DeliverRooms {
  readonly startedAtSeconds: number
  readonly task: Task
  readonly chosen: Chosen
}

async function deliverChosen(rooms: Started, signal: AbortSignal): Promise<Delivered> {
  const { parts, task, chosen } = rooms
  const resolved = await openArtifact(parts, { chosen, task }, signal)
  const { artifact } = resolved
  // One writer for each artifact over all tabs; who waits here finds the pieces kept when its turn comes.
  const stopFollowing = followOther(parts, { artifact, emit: rooms.emit }, signal)
  const inTurn = async (): Promise<Delivered> => {
    stopFollowing()
    const file = await parts.stores.store.open(artifact, signal)
    const attempt: Attempt = { ...rooms, resolved, file, opinions: [], received: new Map() }
    const endGiving = artifact.isMeshAllowed ? parts.live.open({ artifact, file }) : (): void => undefined
    try {
      return await fetchAndJudge(attempt, signal)
    } catch (error) {
      endGiving()
      await endBadly(attempt, error, signal).catch(() => undefined)
      // Cleaning up may fail too, a full disk say; why the download failed is what counts.
      throw error
    } finally {
      endGiving()
      await file.close()
      // It is whole and verified now, or gone.
      if (artifact.isMeshAllowed) parts.live.noteChange()
    }
  }
  return await parts.withLock(artifactLock(artifact.sha256), inTurn, signal).finally(stopFollowing)
}

interface Attempt extends Started {
  readonly resolved: Resolved
  readonly file: ArtifactFile
  opinions: readonly BundleOpinion[]
  readonly received: Map<SourceId, number>
}

async function fetchAndJudge(attempt: Attempt, signal: AbortSignal): Promise<Delivered> {
  const { parts, emit, file, resolved } = attempt
  const facts = artifactFacts(resolved)
  const kept = spansOf(file.origins(), (id) => parts.hub.tierOf(id))
  emit({ kind: 'resolved', artifact: facts, catalogue: { ...catalogueFacts(resolved.answer), freshness: resolved.freshness }, kept })
  emit({ kind: 'phase', phase: 'fetching' })
  // A refused signature ends the download at once: its bytes would only be thrown away.
  const either = createAbort(signal)
  const judging = requireVouched(attempt, either.signal).then((accepted) => {
    // A file may hold several bundles: more than an event does.
    emit({ kind: 'signed', verdicts: accepted.slice(0, LIMITS.bundlesPerArtifact).map((one) => one.verdict) })
    // A peer that asks for pieces asks for these documents too.
    void Promise.all(attempt.task.writes).then(() => parts.live.noteChange())
  })
  const fetching = fetchWhole(attempt, either.signal)
  let blob: Blob
  try {
    ;[blob] = await Promise.all([fetching, judging])
  } catch (error) {
    either.cut(error)
    // Both must have let go of the file before it is closed or removed.
    await Promise.allSettled([judging, fetching])
    throw error
  }
  emit({ kind: 'phase', phase: 'checking' })
  await requireTrusted(attempt, resolved.answer.under, signal)
  signal.throwIfAborted()
  // A peer that asks for what is verified asks for its documents too.
  await Promise.all(attempt.task.writes)
  await file.markVerified(signal)
  const record = await writeRecord(parts, endingOf(attempt, { kind: 'delivered' }), signal)
  return { blob, artifact: facts, record }
}

/**
 * Judges again what was judged under a trust that has changed meanwhile, in this tab or another: the catalogue, its word on this
 * artifact, and the artifact's own signatures.
 */
async function requireTrusted(attempt: Attempt, under: TrustState, signal: AbortSignal): Promise<void> {
  const { parts, desk, resolved } = attempt
  const { answer } = resolved
  const now = await parts.trust.current(signal)
  if (now === under) return
  // One that is ahead of the clock is not kept. Where no update but only the roots are new, it says what it said.
  const isSame = answer.freshness === 'pinned' && now.config.version === under.config.version
  const kept = isSame ? { ...answer, under: now } : await desk.recall(signal)
  if (kept === undefined) throw new DeliveryError({ code: 'catalogue-unavailable', reasons: [] })
  chooseByDigest(kept.catalogue, resolved.artifact.sha256)
  await requireVouched(attempt, signal)
  await requireTrusted(attempt, kept.under, signal)
}

async function requireVouched(attempt: Attempt, signal: AbortSignal): Promise<readonly BundleVerdict[]> {
  const { parts, task, resolved } = attempt
  const { accepted, refused, objection } = await judgeArtifact(parts, { resolved, task }, signal)
  attempt.opinions = [...accepted, ...refused]
  if (objection !== undefined) throw objection
  return accepted
}

/** The whole artifact as one blob, whose digest was taken from that very blob, or under the lock that it was made under. */
async function fetchWhole(attempt: Attempt, signal: AbortSignal): Promise<Blob> {
  const { file, parts, resolved } = attempt
  for (let repairs = 0; ; repairs++) {
    try {
      const isFetched = !file.stored.isFull()
      if (isFetched) await fetchOnce(attempt, signal)
      let blob = await file.complete(signal)
      // A file that this worker had locked since before its first byte was hashed is the one that was hashed. Whatever was not locked all the
      // time (kept from an earlier visit, repaired, or blobs of the index) could have been written to since, by any script of this origin.
      const wasLocked = isFetched && repairs === 0 && blob instanceof File && (await isReadable(blob))
      if (!wasLocked) {
        blob = await file.complete(signal)
        await requireWhole({ artifact: resolved.artifact, stored: file, hasher: parts.hasher, blob }, signal)
      }
      return blob
    } catch (error) {
      if (failureOf(error)?.code !== 'store-tampered' || repairs === MOST_REPAIRS) throw error
    }
  }
}

/** Until every piece is kept and the whole, read back behind the download, has the right digest. */
async function fetchOnce(attempt: Attempt, signal: AbortSignal): Promise<void> {
  const { parts, emit, file, resolved } = attempt
  const { artifact } = resolved
  const own = createAbort(signal)
  const { lengthBytes } = artifact.pieces
  const keptBytes = Math.min(artifact.sizeBytes, file.stored.size * lengthBytes)
  const progress = createProgress({ sizeBytes: artifact.sizeBytes, keptBytes, clock: parts.clock }, emit)
  const whole = createPrefixHash({ artifact, stored: file, hasher: parts.hasher }, own.signal)
  const observer: DeliveryObserver = {
    ...progress,
    onPiece: (piece) => {
      progress.onPiece(piece)
      whole.advance()
      parts.live.noteKept(artifact.sha256, piece.index)
    },
    onReceived: (received) => {
      progress.onReceived(received)
      attempt.received.set(received.source, (attempt.received.get(received.source) ?? 0) + received.bytes)
    },
  }
  try {
    // The hash may refuse before the last piece is in: a piece that changed on disk, say.
    await Promise.all([deliverPieces({ artifact, stored: file, observer }, attempt.task.tools, own.signal), whole.finish()])
  } finally {
    own.cut(signal.aborted ? signal.reason : undefined)
    progress.flush()
  }
}

function isRefusal(error: unknown): boolean {
  const failure = failureOf(error)
  return failure !== undefined && HANDLING[failure.code].isRefusal
}

/** What described it, or spoke for it, goes with what was refused: peers are not given that either. */
async function forgetDocuments({ memory }: EngineParts, { documents, writes }: Task): Promise<void> {
  await Promise.all(writes)
  const cleanUp = AbortSignal.timeout(CLEAN_UP_MS)
  for (const sha256 of documents) await memory.documents.remove(sha256, cleanUp)
}

/** Refused bytes are forgotten before anybody is told; then the record says why. */
async function endBadly(attempt: Attempt, error: unknown, signal: AbortSignal): Promise<void> {
  const { parts, resolved, file } = attempt
  const failure = failureOf(error)
  const origins = file.origins()
  // The caller's signal may be the very reason; cleaning up has its own deadline.
  const cleanUp = AbortSignal.timeout(CLEAN_UP_MS)
  const isRefused = isRefusal(error)
  if (isRefused) {
    await file.close()
    await parts.stores.store.remove(resolved.artifact.sha256, cleanUp)
  }
  await writeRecord(
    parts,
    { ...endingOf(attempt, outcomeOf({ failure, isRefused, isCancelled: signal.aborted })), origins: isRefused ? new Map() : origins },
    cleanUp,
  )
}

function outcomeOf(end: {
  readonly failure: Failure | undefined
  readonly isRefused: boolean
  readonly isCancelled: boolean
}): Ending['outcome'] {
  if (end.isCancelled && !end.isRefused) return { kind: 'cancelled' }
  const failure = end.failure ?? { code: 'store-failed', detail: 'an unexpected error' }
  return { kind: end.isRefused ? 'refused' : 'failed', failure }
}

function endingOf(attempt: Attempt, outcome: Ending['outcome']): Ending {
  const { resolved, startedAtSeconds, opinions, received, file } = attempt
  return { resolved, startedAtSeconds, outcome, opinions, origins: file.origins(), received, troubles: attempt.task.troubles }
}

export function artifactFacts({ artifact }: Pick<Resolved, 'artifact'>): ArtifactFacts {
  const { name, version, platform, filename, mediaType, sizeBytes, sha256, pieces } = artifact
  return { name, version, platform, filename, mediaType, sizeBytes, sha256, pieceCount: pieces.count, pieceLengthBytes: pieces.lengthBytes }
}
