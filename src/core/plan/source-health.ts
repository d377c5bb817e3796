import type { Failure } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { grantedRestMs, restAfter, type Others, type Rest } from './breaker.ts'
import { TIMING } from './timers.ts'

/** What an engine knows of one source, from everything that it fetched. Times are monotonic milliseconds. */
export interface SourceHealth {
  /** Moving average over transfers; 0 while unknown. */
  bytesPerSecond: number
  /** When something was last learnt of it; undefined while nothing is. */
  learntAtMs: number | undefined
  /** Of the newest answers, from the request to the first byte, oldest first. */
  firstBytesMs: readonly number[]
  /** Failures since something of it was last verified. */
  failuresInRow: number
  failedAtMs: number
  rest: Rest
  /** It kept somebody waiting and has proven nothing since: until then others are asked first. */
  suspectUntilMs: number
}

export function createSourceHealth(): SourceHealth {
  return {
    bytesPerSecond: 0,
    learntAtMs: undefined,
    firstBytesMs: [],
    failuresInRow: 0,
    failedAtMs: 0,
    rest: { ms: 0, isAskedFor: false },
    suspectUntilMs: 0,
  }
}

/** Weight of the newest measurement in the moving average. */
const NEWEST = 0.5
const ANSWERS_KEPT = 16
/** Fewer answers say nothing of how late a normal one may be. */
const ANSWERS_TO_ADAPT = 4
const COLD_HEDGE_MS = 400
const HEDGE_MIN_MS = 250
const HEDGE_MAX_MS = 1000
const HEDGE_FACTOR = 1.5
/** A source that was demoted is among the first again after this long (I15). */
export const SUSPECT_MS = 60_000

export function noteFirstByte(health: SourceHealth, elapsedMs: number, nowMs: number): void {
  health.learntAtMs = nowMs
  health.firstBytesMs = [...health.firstBytesMs, elapsedMs].slice(-ANSWERS_KEPT)
}

export function noteRate(health: SourceHealth, bytes: number, elapsedMs: number, nowMs: number): void {
  if (bytes === 0) return
  health.learntAtMs = nowMs
  const rate = (bytes * 1000) / Math.max(elapsedMs, 1)
  health.bytesPerSecond = health.bytesPerSecond === 0 ? rate : health.bytesPerSecond * (1 - NEWEST) + rate * NEWEST
}

/** It delivered what it was asked for. */
export function noteDelivered(health: SourceHealth): void {
  health.failuresInRow = 0
  health.suspectUntilMs = 0
}

/** It was silent for longer than its answers take: no failure yet, and no reason to wait for it first. */
export function noteSilence(health: SourceHealth, nowMs: number): void {
  health.learntAtMs = nowMs
  health.suspectUntilMs = nowMs + SUSPECT_MS
}

/** How a request ended. */
export interface FailedRequest {
  readonly failure: Failure
  /** It brought a verified piece before it failed. */
  readonly hadProgress: boolean
}

export function noteFailure(health: SourceHealth, { failure, hadProgress }: FailedRequest, random: () => number, nowMs: number): void {
  health.failuresInRow++
  health.failedAtMs = nowMs
  const retryAfterSeconds = failure.code === 'source-status' ? failure.retryAfterSeconds : undefined
  const isWrongAnswer = failure.code === 'source-protocol'
  health.rest = restAfter({ failures: health.failuresInRow, hadProgress, retryAfterSeconds, isWrongAnswer }, random)
}

/** It is well, and busy with others: no failure. It is left alone for as long as it asked, at most as long as any may ask. */
export function noteBusy(health: SourceHealth, retryMs: number, nowMs: number): void {
  health.failedAtMs = nowMs
  health.rest = { ms: Math.min(retryMs, LIMITS.retryAfterSeconds * 1000), isAskedFor: true }
}

/**
 * The network is there again: what failed or was silent without it may be tried at once, with one request at first. A rest that the source
 * itself asked for stays.
 */
export function noteOnline(health: SourceHealth): void {
  if (!health.rest.isAskedFor) health.rest = { ms: 0, isAskedFor: false }
  health.suspectUntilMs = 0
}

/** Monotonic time from which on it may be asked again. */
export function restsUntilMs({ failedAtMs, rest }: SourceHealth, others: Others): number {
  return failedAtMs + grantedRestMs(rest, others)
}

/** True when another one should be asked first: it was silent, or its rate is that of a trickle. */
export function isSuspect({ suspectUntilMs, bytesPerSecond }: SourceHealth, nowMs: number): boolean {
  return nowMs < suspectUntilMs || (bytesPerSecond > 0 && bytesPerSecond < TIMING.floorBytesPerSecond)
}

/** True when a suspect may be asked for what others fetch: a delivery ends a silence at once, but a trickle seldom stops soon. */
export function isWorthProbing({ suspectUntilMs, learntAtMs = -Infinity }: SourceHealth, nowMs: number): boolean {
  return nowMs < suspectUntilMs || nowMs - learntAtMs >= SUSPECT_MS
}

/** How long its first byte may take before another source is started beside it: half as long again as nearly all of its answers took. */
export function hedgeMs({ firstBytesMs }: SourceHealth): number {
  if (firstBytesMs.length < ANSWERS_TO_ADAPT) return COLD_HEDGE_MS
  const sorted = firstBytesMs.toSorted((a, b) => a - b)
  const p95 = sorted[Math.ceil(sorted.length * 0.95) - 1] ?? COLD_HEDGE_MS
  return Math.min(HEDGE_MAX_MS, Math.max(HEDGE_MIN_MS, HEDGE_FACTOR * p95))
}

/** Typical time to the first byte; undefined while unknown. */
export function firstByteMs({ firstBytesMs }: SourceHealth): number | undefined {
  return firstBytesMs.toSorted((a, b) => a - b)[firstBytesMs.length >> 1]
}
