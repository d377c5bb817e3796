import { Transform, type TransformCallback } from 'node:stream'
import type { Clock } from '../../core/ports.ts'
import type { NetworkFault } from './network-fault.ts'

/** Small enough that a slow line is slow all the time, not silent and then sudden. */
const SIP_BYTES = 1024

/** Passes on what a place answers, as its fault of the moment has it. */
export class FaultValve extends Transform {
  readonly #faultNow: () => NetworkFault | undefined
  readonly #clock: Clock
  readonly #closed = new AbortController()
  #waiting: (() => void) | undefined

  constructor(faultNow: () => NetworkFault | undefined, clock: Clock) {
    super()
    this.#faultNow = faultNow
    this.#clock = clock
    this.once('close', () => this.#closed.abort())
  }

  /** The fault is another one now. */
  look(): void {
    if (this.#faultNow()?.kind === 'refused') {
      this.destroy()
      return
    }
    this.#waiting?.()
  }

  /** Resolves as soon as the place says anything; rejects when the connection ends first. */
  async #passing(): Promise<void> {
    while (this.#faultNow()?.kind === 'silent') {
      this.#closed.signal.throwIfAborted()
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
        this.once('close', resolve)
      })
      this.#waiting = undefined
    }
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#pass(chunk).then(
      () => done(),
      // The connection is gone, and whoever waits for it hears of that.
      () => this.destroy(),
    )
  }

  override _flush(done: TransformCallback): void {
    this.#passing().then(
      () => done(),
      () => this.destroy(),
    )
  }

  async #pass(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      await this.#passing()
      const fault = this.#faultNow()
      const bytes = fault?.kind === 'slow' ? chunk.subarray(at, at + SIP_BYTES) : chunk.subarray(at)
      if (fault?.kind === 'slow') await this.#clock.sleep((bytes.length / fault.bytesPerSecond) * 1000, this.#closed.signal)
      this.push(bytes)
      at += bytes.length
    }
  }
}
