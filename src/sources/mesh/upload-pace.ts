import type { Clock } from '../../core/ports.ts'
import { createTokenBucket, type TokenBucket } from '../../core/plan/token-bucket.ts'
import { BURST_SECONDS } from '../../core/plan/upload-limits.ts'
import { FRAME_PAYLOAD_BYTES } from '../../core/wire/peer-frame.ts'

/** Somebody who has bytes to send to one peer. */
export interface PacedSender {
  /** What went to this peer so far, in bytes. */
  readonly servedBytes: number
  /** Sends what it may. */
  pump(): void
}

/** One rate, and one budget, for all who send over the same kind of line. Whoever was given least goes first. */
export interface UploadPace {
  /** How many of these bytes may go now; 0: the sender's `pump` is called when some may. */
  take(sender: PacedSender, bytes: number): number
  /** Undefined: without end. */
  readonly leftBytes: number | undefined
  leave(sender: PacedSender): void
}

export interface PaceOptions {
  /** Undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined
  /** Undefined: without end. */
  readonly budgetBytes: number | undefined
  readonly clock: Clock
  /** The budget is used up. Once. */
  readonly onSpent: () => void
}

export function createUploadPace(options: PaceOptions, signal: AbortSignal): UploadPace {
  return new Pace(options, signal)
}

class Pace implements UploadPace {
  readonly #options: PaceOptions
  readonly #signal: AbortSignal
  readonly #bucket: TokenBucket | undefined
  /** Bytes that one sender gets at a turn. */
  readonly #turnBytes: number
  readonly #waiting = new Set<PacedSender>()
  #turn: { readonly sender: PacedSender; leftBytes: number } | undefined
  #isWaking = false
  leftBytes: number | undefined

  constructor(options: PaceOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
    this.leftBytes = options.budgetBytes
    const { bytesPerSecond } = options
    const burstBytes = Math.floor((bytesPerSecond ?? 0) * BURST_SECONDS)
    this.#turnBytes = Math.min(FRAME_PAYLOAD_BYTES, burstBytes)
    if (bytesPerSecond !== undefined && bytesPerSecond > 0)
      this.#bucket = createTokenBucket({ perSecond: bytesPerSecond, burst: burstBytes })
  }

  take(sender: PacedSender, bytes: number): number {
    if (this.#options.bytesPerSecond === 0) return 0
    const wanted = Math.min(bytes, this.leftBytes ?? bytes)
    const taken = this.#bucket === undefined ? wanted : this.#takePaced(this.#bucket, sender, wanted)
    this.#spend(taken)
    return taken
  }

  leave(sender: PacedSender): void {
    this.#waiting.delete(sender)
  }

  #takePaced(bucket: TokenBucket, sender: PacedSender, wanted: number): number {
    const nowMs = this.#options.clock.monotonicMs()
    const turn = this.#turn?.sender === sender ? this.#turn : undefined
    // Others have waited for longer.
    const isBehind = turn === undefined && this.#waiting.size > 0
    const most = isBehind ? 0 : Math.min(wanted, turn?.leftBytes ?? this.#turnBytes)
    // A frame of a few bytes costs as much as a whole one: all of it, or nothing yet.
    const taken = bucket.waitMs(most, nowMs) === 0 ? bucket.take(most, nowMs) : 0
    if (turn !== undefined) turn.leftBytes -= taken
    if (taken === 0 && wanted > 0) this.#wait(sender)
    return taken
  }

  #spend(bytes: number): void {
    if (this.leftBytes === undefined || bytes === 0) return
    this.leftBytes -= bytes
    // Not before the bytes that were taken just now are sent.
    if (this.leftBytes === 0) void Promise.resolve().then(this.#options.onSpent)
  }

  #wait(sender: PacedSender): void {
    this.#waiting.add(sender)
    if (this.#isWaking) return
    this.#isWaking = true
    // Only the end of the mesh wakes it early.
    this.#wake().catch(() => undefined)
  }

  async #wake(): Promise<void> {
    const { clock } = this.#options
    while (this.#waiting.size > 0) {
      const waitMs = this.#bucket?.waitMs(this.#turnBytes, clock.monotonicMs()) ?? 0
      if (waitMs > 0) {
        await clock.sleep(waitMs, this.#signal)
        continue
      }
      const sender = this.#next()
      if (sender === undefined) break
      this.#waiting.delete(sender)
      this.#turn = { sender, leftBytes: this.#turnBytes }
      sender.pump()
      this.#turn = undefined
    }
    this.#isWaking = false
  }

  #next(): PacedSender | undefined {
    return [...this.#waiting].reduce<PacedSender | undefined>(
      (least, one) => (least === undefined || one.servedBytes < least.servedBytes ? one : least),
      undefined,
    )
  }
}
