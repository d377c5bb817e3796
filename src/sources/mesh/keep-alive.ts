import type { Clock } from '../../core/ports.ts'

const IDLE_MS = 10_000
const PONG_MS = 5000

export interface KeepAliveOptions {
  readonly clock: Clock
  /** Aborted when the session is over. */
  readonly over: AbortSignal
  readonly ping: () => void
  /** Called now and then while the session is open. */
  readonly onTick: () => void
  readonly onDead: (silentMs: number) => void
}

/** Neither ICE nor a port tells that a page is frozen: this asks, and gives up one that does not answer. */
export class KeepAlive {
  readonly #options: KeepAliveOptions
  #heardAtMs: number
  #heardFrames = 0

  constructor(options: KeepAliveOptions) {
    this.#options = options
    this.#heardAtMs = options.clock.monotonicMs()
  }

  /** A frame came. */
  noteHeard(): void {
    this.#heardAtMs = this.#options.clock.monotonicMs()
    this.#heardFrames++
  }

  async run(): Promise<void> {
    while (await this.#slept(IDLE_MS)) {
      this.#options.onTick()
      if (this.#options.clock.monotonicMs() - this.#heardAtMs >= IDLE_MS) await this.ask(PONG_MS)
    }
  }

  async ask(deadlineMs: number): Promise<void> {
    const { clock, ping, onDead } = this.#options
    // Counted, not timed: browsers make their clocks coarse, and an answer may come within one tick.
    const heardFrames = this.#heardFrames
    ping()
    if (!(await this.#slept(deadlineMs)) || this.#heardFrames > heardFrames) return
    onDead(Math.round(clock.monotonicMs() - this.#heardAtMs))
  }

  /** False when the session ended meanwhile. */
  #slept(ms: number): Promise<boolean> {
    const { clock, over } = this.#options
    return clock.sleep(ms, over).then(
      () => !over.aborted,
      () => false,
    )
  }
}
