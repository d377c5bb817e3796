import { DeliveryError, failureOf, type Failure } from '../core/errors.ts'
import { toPieceIndex } from '../core/model/ids.ts'
import { pickRarest, pickRun, pickSteal, type PieceRun } from '../core/pieces/picker.ts'
import { readingMs, restInDeliveryMs } from '../core/plan/backoff.ts'
import { LANES } from '../core/plan/policy.ts'
import { verifyPiece } from '../core/verify/piece.ts'
import { NOT_NEEDED } from './abort.ts'
import { escalate, isUsable, type Delivery } from './delivery-state.ts'
import { runBytes } from './ledger.ts'
import { createPieceCutter, type CutPiece } from './piece-cutter.ts'
import { noteFailure, noteRate, type SourceState } from './source-state.ts'
import { createTransfer, noteBytes, pause, resume, type Transfer } from './transfer.ts'

/** How long a run should keep a source busy, so that its requests are few but its pieces can still move elsewhere. */
const RUN_SECONDS = 1.5
const MOST_PIECES_IN_RUN = 16
/** What a source that has not answered yet is assumed to need, when it is weighed against one that has. */
const UNKNOWN_FIRST_BYTE_MS = 200
const UNKNOWN_BYTES_PER_SECOND = 100_000

/** Works one source until the delivery is complete or the source is of no more use. Rejects only when the store does. */
export async function runLanes(delivery: Delivery, state: SourceState, signal: AbortSignal): Promise<void> {
  const lanes = Array.from({ length: LANES[state.source.tier] }, (_, lane) => runLane(delivery, { state, lane }, signal))
  await Promise.all(lanes)
}

interface Lane {
  readonly state: SourceState
  readonly lane: number
}

async function runLane(delivery: Delivery, { state, lane }: Lane, signal: AbortSignal): Promise<void> {
  const { ledger, tools, gate } = delivery
  while (!ledger.isComplete() && isUsable(state, tools.reputation)) {
    signal.throwIfAborted()
    const run = mayWork(delivery, { state, lane }) ? choose(delivery, state) : undefined
    if (run === undefined) await gate.wait(signal)
    else await transferRun(delivery, createTransfer(state, run, tools.clock.monotonicMs()), signal)
  }
}

/** A source that has proven nothing yet works one lane: a probe of one piece shows whether it is worth more. */
function mayWork(delivery: Delivery, { state, lane }: Lane): boolean {
  if (state.rank > delivery.level) return false
  if (delivery.tools.clock.monotonicMs() < state.restsUntilMs) return false
  return lane === 0 || state.verifiedPieces > 0
}

function choose(delivery: Delivery, state: SourceState): PieceRun | undefined {
  const { artifact, ledger } = delivery
  const { source } = state
  const pieceBytes = artifact.pieces.lengthBytes
  if (source.tier === 'mesh') {
    const rarest = pickRarest(ledger, source.id)
    if (rarest !== undefined) return { start: rarest, end: rarest + 1 }
  } else {
    const wanted = Math.floor((state.bytesPerSecond * RUN_SECONDS) / pieceBytes)
    const run = pickRun(ledger, source.id, Math.min(source.maxRunPieces, MOST_PIECES_IN_RUN, Math.max(1, wanted)))
    if (run !== undefined) return run
  }
  const ownMs = (pieceBytes * 1000) / (state.bytesPerSecond || UNKNOWN_BYTES_PER_SECOND) + (state.firstByteMs ?? UNKNOWN_FIRST_BYTE_MS)
  const stolen = pickSteal(ledger, source.id, ownMs)
  return stolen === undefined ? undefined : { start: stolen, end: stolen + 1 }
}

async function transferRun(delivery: Delivery, transfer: Transfer, signal: AbortSignal): Promise<void> {
  const { ledger, tools, gate } = delivery
  const state = transfer.by
  const piecesBefore = state.verifiedPieces
  ledger.claim(transfer)
  try {
    await readRun(delivery, transfer)
    state.failuresInRow = 0
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error !== NOT_NEEDED)
      noteTrouble(delivery, state, {
        failure: sourceFailureOf(error),
        hadProgress: state.verifiedPieces > piecesBefore,
      })
  } finally {
    ledger.unclaim(transfer)
    if (transfer.firstByteAtMs !== undefined) noteRate(state, transfer.receivedBytes, readingMs(transfer, tools.clock.monotonicMs()))
    gate.open()
  }
}

async function readRun(delivery: Delivery, transfer: Transfer): Promise<void> {
  const { artifact, tools, observer } = delivery
  const { source } = transfer.by
  const cutter = createPieceCutter(artifact, transfer.run)
  const range = runBytes(artifact, transfer.run)
  const expectedBytes = range.end - range.start
  // One piece may be hashed and stored while the next arrives; a second one waits, which bounds what is held.
  let keeping: Promise<void> = Promise.resolve()
  const stop = transfer.abort.signal
  try {
    for await (const chunk of source.read(artifact, range, stop)) {
      const nowMs = tools.clock.monotonicMs()
      if (transfer.firstByteAtMs === undefined) transfer.by.firstByteMs = nowMs - transfer.startedAtMs
      noteBytes(transfer, chunk.length, nowMs)
      transfer.by.receivedBytes += chunk.length
      observer.onReceived({ source: source.id, tier: source.tier, bytes: chunk.length })
      for (const cut of cutter.push(chunk)) {
        await holdUp(delivery, transfer, keeping)
        keeping = keepPiece(delivery, transfer, cut)
        // Observed at the next piece or at the end; until then a rejection must not count as unhandled.
        keeping.catch(() => undefined)
      }
      if (transfer.receivedBytes > expectedBytes) break
    }
  } finally {
    await holdUp(delivery, transfer, keeping)
  }
  stop.throwIfAborted()
  // The end of a stream is not its success: without a failure here the same read would be tried again at once, for ever.
  const actualBytes = transfer.receivedBytes
  if (actualBytes !== expectedBytes) throw new DeliveryError({ code: 'source-length', source: source.id, expectedBytes, actualBytes })
}

/** Waits for a piece to be kept. Nothing is read meanwhile, so the source cannot be silent. */
async function holdUp({ tools }: Delivery, transfer: Transfer, keeping: Promise<void>): Promise<void> {
  pause(transfer, tools.clock.monotonicMs())
  try {
    await keeping
  } finally {
    resume(transfer, tools.clock.monotonicMs())
  }
}

async function keepPiece(delivery: Delivery, transfer: Transfer, cut: CutPiece): Promise<void> {
  const { artifact, stored, tools, observer, ledger, gate } = delivery
  const state = transfer.by
  const { source } = state
  if (!stored.stored.has(cut.index)) {
    const piece = await verifyPiece(artifact, cut.index, cut.bytes, {
      source: source.id,
      hasher: tools.hasher,
    })
    // A store failure is not the source's fault: it ends the delivery.
    if (!stored.stored.has(cut.index)) {
      await stored.put(piece, transfer.abort.signal)
      state.verifiedBytes += cut.bytes.length
      observer.onPiece({
        index: cut.index,
        source: source.id,
        tier: source.tier,
        bytes: cut.bytes.length,
      })
    }
    state.verifiedPieces++
    state.failuresInRow = 0
    delivery.lastProgressMs = tools.clock.monotonicMs()
  }
  transfer.nextPiece = toPieceIndex(cut.index + 1)
  gate.open()
  if (transfer.nextPiece < transfer.run.end && !ledger.isNeeded(transfer)) transfer.abort.cut(NOT_NEEDED)
}

function noteTrouble(delivery: Delivery, state: SourceState, trouble: { readonly failure: Failure; readonly hadProgress: boolean }): void {
  const { tools, observer } = delivery
  const { failure } = trouble
  noteFailure(state, failure)
  const isBanned = tools.reputation.note(state.source.id, failure)
  if (failure.code === 'source-missing') state.isMissing = true
  const others = [...delivery.states.values()].filter((other) => other !== state && isUsable(other, tools.reputation))
  const rest = restInDeliveryMs(
    {
      failures: state.failuresInRow,
      hadProgress: trouble.hadProgress,
      retryAfterSeconds: failure.code === 'source-status' ? failure.retryAfterSeconds : undefined,
      isLastSource: others.length === 0,
    },
    tools.random,
  )
  state.restsUntilMs = tools.clock.monotonicMs() + rest
  observer.onTrouble({ source: state.source.id, tier: state.source.tier, failure, isBanned })
  escalate(delivery, state)
}

/** Failures of the store, and bugs, pass through: only what a source did is held against it. */
function sourceFailureOf(error: unknown): Failure {
  const failure = failureOf(error)
  if (failure === undefined || failure.code === 'quota-exceeded' || failure.code === 'store-failed') throw error
  return failure
}
