import { toPieceIndex, type PieceIndex } from '../core/model/ids.ts'
import type { PieceRun } from '../core/pieces/picker.ts'
import { readingMs, type TransferView } from '../core/plan/timers.ts'
import { createAbort, type Abort } from './abort.ts'
import type { SourceState } from './source-state.ts'

/** One running read of a run of pieces. Its pieces are claimed until it ends, or until it is released. */
export interface Transfer extends TransferView {
  readonly by: SourceState
  run: PieceRun
  /** Reads past the source's cache, which has lied. */
  readonly isReread: boolean
  readonly abort: Abort
  firstByteAtMs: number | undefined
  lastByteAtMs: number
  receivedBytes: number
  pausedSinceMs: number | undefined
  pausedMs: number
  /** First piece of the run that has not been verified yet. */
  nextPiece: number
  /** True once the source has sent all of it. Its last pieces may still be on their way into the store. */
  isRead: boolean
  /** It has memory for the piece that it brings. */
  hasRoom: boolean
  /** True once its pieces may be taken by others; it goes on reading, for a late byte still counts. */
  isReleased: boolean
}

export function createTransfer(by: SourceState, job: { readonly run: PieceRun; readonly isReread: boolean }, nowMs: number): Transfer {
  return {
    by,
    ...job,
    abort: createAbort(),
    startedAtMs: nowMs,
    firstByteAtMs: undefined,
    lastByteAtMs: nowMs,
    receivedBytes: 0,
    pausedSinceMs: undefined,
    pausedMs: 0,
    nextPiece: job.run.start,
    isRead: false,
    hasRoom: false,
    isReleased: false,
  }
}

export function noteBytes(transfer: Transfer, byteCount: number, nowMs: number): void {
  transfer.firstByteAtMs ??= nowMs
  transfer.lastByteAtMs = nowMs
  transfer.receivedBytes += byteCount
  transfer.by.heardAtMs = nowMs
}

/** Nobody reads from it until `resume`. */
export function pause(transfer: Transfer, nowMs: number): void {
  transfer.pausedSinceMs = nowMs
}

export function resume(transfer: Transfer, nowMs: number): void {
  if (transfer.pausedSinceMs === undefined) return
  transfer.pausedMs += nowMs - transfer.pausedSinceMs
  transfer.pausedSinceMs = undefined
  transfer.lastByteAtMs = nowMs
}

/** For so long nobody could read from it; what came from it meanwhile all the same was read. */
export function forgive(transfer: Transfer, ms: number, nowMs: number): void {
  if (transfer.pausedSinceMs !== undefined) return
  const unreadMs = Math.min(ms, nowMs - transfer.lastByteAtMs)
  transfer.lastByteAtMs += unreadMs
  if (transfer.firstByteAtMs !== undefined) transfer.pausedMs += unreadMs
}

/** A gap of so long is more than the way chunks come. */
const SILENT_MS = 300

/** Bytes per second of this transfer since its first byte; the source's known rate until that says something. */
export function transferRate(transfer: Transfer, nowMs: number): number {
  const runMs = readingMs(transfer, nowMs)
  return runMs >= 250 ? (transfer.receivedBytes * 1000) / runMs : transfer.by.health.bytesPerSecond
}

/** When this transfer will be through with `piece`, from now. Infinite when it was released or stands still. */
export function transferEtaMs(transfer: Transfer, piece: PieceIndex, pieceBytes: number, nowMs: number): number {
  if (transfer.isReleased) return Infinity
  const silentMs = transfer.pausedSinceMs === undefined ? nowMs - transfer.lastByteAtMs : 0
  return untilMs(transfer, piece, pieceBytes, nowMs) + (silentMs > SILENT_MS ? silentMs : 0)
}

/** True when it sends, but so slowly that its last piece is further away than this. */
export function isTrickling(
  transfer: Transfer,
  pieceBytes: number,
  { ms, nowMs }: { readonly ms: number; readonly nowMs: number },
): boolean {
  const last = toPieceIndex(transfer.run.end - 1)
  if (transfer.firstByteAtMs === undefined || nowMs - transfer.lastByteAtMs > SILENT_MS) return false
  return untilMs(transfer, last, pieceBytes, nowMs) > ms
}

/** At its present rate. */
function untilMs(transfer: Transfer, piece: PieceIndex, pieceBytes: number, nowMs: number): number {
  const rate = transferRate(transfer, nowMs)
  const bytesToGo = (piece + 1 - transfer.run.start) * pieceBytes - transfer.receivedBytes
  return rate <= 0 ? Infinity : Math.max(0, (bytesToGo * 1000) / rate)
}
