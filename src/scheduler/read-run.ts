import { DeliveryError, failureOf, type Failure } from '../core/errors.ts'
import type { Artifact } from '../core/model/artifact.ts'
import type { PieceIndex } from '../core/model/ids.ts'
import type { PieceRun } from '../core/pieces/picker.ts'
import { noteFirstByte, noteRate, noteDelivered } from '../core/plan/source-health.ts'
import { readingMs } from '../core/plan/timers.ts'
import { verifyPiece } from '../core/verify/piece.ts'
import { NOT_NEEDED } from './abort.ts'
import type { Delivery } from './delivery-state.ts'
import { runBytes } from './ledger.ts'
import { createPieceCutter, type CutPiece } from './piece-cutter.ts'
import type { SourceState } from './source-state.ts'
import { createTransfer, noteBytes, pause, resume, isTrickling, type Transfer } from './transfer.ts'
import { noteTrouble } from './trouble.ts'

/** So much is read, over all transfers, before other work of this thread has its turn. */
const TURN_BYTES = 256 * 1024
/** What a connection costs, with all that is asked before anything comes. */
const LET_END_MS = 1000
/** How often one that gave way looks whether it may go on. */
const YIELD_MS = 40

/** A run on its way, piece by piece through the door, into the store. */
export interface RunUnderWay {
  /** Resolves when the source has sent all of it, or it is done. */
  readonly read: Promise<void>
  /** Resolves when what came is kept, too, or the run has failed. Rejects only when the store does, or the delivery ends. */
  readonly done: Promise<void>
}

export function startRun(delivery: Delivery, transfer: Transfer, signal: AbortSignal): RunUnderWay {
  const { by } = transfer
  let resolveRead = (): void => undefined
  const read = new Promise<void>((resolve) => (resolveRead = resolve))
  let isReading = true
  const onRead = (): void => {
    if (isReading) by.reading--
    isReading = false
    resolveRead()
  }
  by.reading++
  by.running++
  const done = transferRun(delivery, { transfer, onRead }, signal).finally(() => {
    by.running--
    onRead()
  })
  return { read, done }
}

interface Reading {
  readonly transfer: Transfer
  readonly onRead: () => void
}

async function transferRun(delivery: Delivery, reading: Reading, signal: AbortSignal): Promise<void> {
  const { ledger, tools, gate } = delivery
  const { transfer } = reading
  let wrongPiece: PieceIndex | undefined
  ledger.claim(transfer)
  try {
    await readRun(delivery, reading, signal)
    noteDelivered(transfer.by.health)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error !== NOT_NEEDED) wrongPiece = noteTrouble(delivery, transfer, sourceFailureOf(error))
  } finally {
    ledger.unclaim(transfer)
    delivery.room.leave(transfer)
    const nowMs = tools.clock.monotonicMs()
    if (transfer.firstByteAtMs !== undefined) noteRate(transfer.by.health, transfer.receivedBytes, readingMs(transfer, nowMs), nowMs)
    gate.open()
  }
  // At once: had it to wait for a lane, others would fetch the piece, and the cache would go on lying to everybody.
  if (wrongPiece !== undefined) await reread(delivery, { by: transfer.by, piece: wrongPiece }, signal)
}

async function reread(
  delivery: Delivery,
  { by, piece }: { readonly by: SourceState; readonly piece: PieceIndex },
  signal: AbortSignal,
): Promise<void> {
  delivery.budget.noteFirst()
  const transfer = createTransfer(by, { run: { start: piece, end: piece + 1 }, isReread: true }, delivery.tools.clock.monotonicMs())
  await transferRun(delivery, { transfer, onRead: () => undefined }, signal)
}

async function readRun(delivery: Delivery, { transfer, onRead }: Reading, signal: AbortSignal): Promise<void> {
  const { artifact } = delivery
  const cutter = createPieceCutter(delivery.buffers, () => transfer.run)
  const expectedBytes = (): number => bytesIn(artifact, transfer.run)
  const stop = transfer.abort.signal
  // All of this run so far. Pieces are hashed and stored while the next ones arrive, so that one commit takes several.
  let keeping: Promise<void> = Promise.resolve()
  try {
    for await (const chunk of chunksOf(delivery, transfer)) {
      noteChunk(delivery, transfer, chunk.length)
      for (let rest = chunk; rest.length > 0 && !cutter.isDone();) {
        await delivery.room.take(transfer)
        const cut = cutter.push(rest)
        rest = cut.rest
        if (cut.piece === undefined) continue
        delivery.room.handOver(transfer)
        keeping = keepPiece(delivery, transfer, { cut: cut.piece, before: keeping }, signal)
        // A lie ends the transfer at once: the next chunk may never come.
        keeping.catch((error: unknown) => transfer.abort.cut(error))
      }
      if (transfer.receivedBytes > expectedBytes()) break
      await giveWay(delivery, transfer)
      await takeTurns(delivery, chunk.length)
    }
    if (transfer.receivedBytes === expectedBytes()) {
      transfer.isRead = true
      onRead()
    }
  } finally {
    cutter.drop()
    delivery.room.leave(transfer)
    await holdUp(delivery, transfer, keeping)
  }
  stop.throwIfAborted()
  // The end of a stream is not its success: without a failure here the same read would be tried again at once, for ever.
  const actualBytes = transfer.receivedBytes
  if (actualBytes !== expectedBytes())
    throw new DeliveryError({ code: 'source-length', source: transfer.by.source.id, expectedBytes: expectedBytes(), actualBytes })
}

function bytesIn(artifact: Artifact, run: PieceRun): number {
  const { start, end } = runBytes(artifact, run)
  return end - start
}

function chunksOf({ artifact }: Delivery, { by: { source }, run, isReread, abort }: Transfer): AsyncIterable<Uint8Array> {
  const range = runBytes(artifact, run)
  const reread = isReread ? source.reread?.bind(source) : undefined
  return (reread ?? source.read.bind(source))(artifact, range, abort.signal)
}

function noteChunk({ artifact, ledger, tools, observer }: Delivery, transfer: Transfer, bytes: number): void {
  const { source, health } = transfer.by
  const nowMs = tools.clock.monotonicMs()
  if (transfer.firstByteAtMs === undefined) noteFirstByte(health, nowMs - transfer.startedAtMs, nowMs)
  // Who sends the whole file from its start, whatever was asked for, sends the next pieces too.
  const isWhole = transfer.run.start === 0 && source.ignoresRanges?.() === true
  if (isWhole && transfer.run.end < artifact.pieces.count) ledger.extend(transfer)
  noteBytes(transfer, bytes, nowMs)
  observer.onReceived({ source: source.id, tier: source.tier, bytes })
}

/** A body whose bytes are there already is read without any task between: storage and hashing would have to wait for its end. */
async function takeTurns(delivery: Delivery, bytes: number): Promise<void> {
  delivery.sinceTurnBytes += bytes
  if (delivery.sinceTurnBytes < TURN_BYTES) return
  delivery.sinceTurnBytes = 0
  await delivery.tools.nextTask?.()
}

/** Leaves the line to something more urgent, without giving up what has come. Nothing is read meanwhile, so the sender stops too. */
async function giveWay({ artifact, tools }: Delivery, transfer: Transfer): Promise<void> {
  const { clock, roster } = tools
  if (!roster.traffic.mustYield(artifact.priority)) return
  pause(transfer, clock.monotonicMs())
  try {
    while (roster.traffic.mustYield(artifact.priority)) await clock.sleep(YIELD_MS, transfer.abort.signal)
  } finally {
    resume(transfer, clock.monotonicMs())
  }
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

interface Keeping {
  readonly cut: CutPiece
  /** The pieces before it in this run. */
  readonly before: Promise<void>
}

async function keepPiece(delivery: Delivery, transfer: Transfer, { cut, before }: Keeping, signal: AbortSignal): Promise<void> {
  try {
    await storePiece(delivery, transfer, cut, signal)
    // Not where it failed: a store that has given up on it may be writing still.
    delivery.buffers.giveBack(cut.bytes)
  } finally {
    delivery.room.free(transfer.by)
  }
  const { ledger, gate } = delivery
  cutOthers(delivery, transfer, cut.index)
  await before
  ledger.advance(transfer)
  gate.open()
  if (transfer.nextPiece < transfer.run.end && !ledger.isNeeded(transfer)) transfer.abort.cut(NOT_NEEDED)
}

/**
 * It is here now: whoever was to bring it too is told to stop. An HTTP source that is nearly through is let end, for cutting it costs a connection;
 * and one that is silent, for that shows what it is worth.
 */
function cutOthers({ artifact, ledger, tools }: Delivery, transfer: Transfer, piece: PieceIndex): void {
  for (const other of ledger.holdersOf(piece)) {
    if (other === transfer || other.isRead || ledger.isNeeded(other)) continue
    const limit = { ms: LET_END_MS, nowMs: tools.clock.monotonicMs() }
    if (other.by.source.tier === 'mesh' || isTrickling(other, artifact.pieces.lengthBytes, limit)) other.abort.cut(NOT_NEEDED)
  }
}

async function storePiece(delivery: Delivery, transfer: Transfer, cut: CutPiece, signal: AbortSignal): Promise<void> {
  const { artifact, stored, ledger, tools, observer } = delivery
  const state = transfer.by
  const { source } = state
  if (stored.stored.has(cut.index) && !transfer.isReread) return
  const piece = await verifyPiece(artifact, cut.index, cut.bytes, { source: source.id, hasher: tools.hasher })
  if (ledger.beginKeeping(cut.index)) {
    try {
      // Whatever becomes of the transfer: what is verified is not fetched again. A store failure is not the source's fault: it ends the delivery.
      await stored.put(piece, signal)
      observer.onPiece({ index: cut.index, source: source.id, tier: source.tier, bytes: cut.bytes.length })
    } finally {
      ledger.endKeeping(cut.index)
    }
  }
  if (transfer.isReread) state.parole = undefined
  state.verifiedPieces++
  noteDelivered(state.health)
  delivery.presence.noteProgress()
  delivery.lastProgressMs = tools.clock.monotonicMs()
}

const STORE_FAILURES: ReadonlySet<Failure['code']> = new Set(['quota-exceeded', 'store-failed', 'store-tampered'])

/** Failures of the store, and bugs, pass through: only what a source did is held against it. */
function sourceFailureOf(error: unknown): Failure {
  const failure = failureOf(error)
  if (failure === undefined || STORE_FAILURES.has(failure.code)) throw error
  return failure
}
