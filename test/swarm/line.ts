import type { SimClock } from './sim-clock.ts'

/**
 * Something that carries quanta one after the other, in the order in which they come: a downlink, or the line between two networks. A quantum
 * that finds it idle is through at once, since it was on its way while its sender sent it.
 */
export class Line {
  #freeAtMs = 0
  readonly #quantumMs: number

  constructor(quantumMs: number) {
    this.#quantumMs = quantumMs
  }

  /** Quanta that wait for it at this time. */
  backlog(atMs: number): number {
    return Math.max(0, this.#freeAtMs - atMs) / this.#quantumMs
  }

  /** When a quantum that arrives at `atMs` is through. */
  pass(atMs: number): number {
    this.#freeAtMs = Math.max(this.#freeAtMs, atMs - this.#quantumMs) + this.#quantumMs
    return this.#freeAtMs
  }
}

/** Sends quanta for several receivers in turn, as fair as connections that share an uplink. */
export interface Flow {
  /** False while there is nothing to send, or too much of it has not arrived. */
  canSend(): boolean
  /** A quantum has left the uplink. */
  onSent(atMs: number): void
}

export class Uplink {
  readonly #clock: SimClock
  readonly #quantumMs: number
  readonly #flows: Flow[] = []
  #next = 0
  #freeAtMs = 0
  #isBusy = false

  constructor(clock: SimClock, quantumMs: number) {
    this.#clock = clock
    this.#quantumMs = quantumMs
  }

  add(flow: Flow): void {
    this.#flows.push(flow)
    this.wake()
  }

  remove(flow: Flow): void {
    const at = this.#flows.indexOf(flow)
    if (at === -1) return
    this.#flows.splice(at, 1)
    if (at < this.#next) this.#next--
  }

  /** Some flow may be able to send again. */
  wake(): void {
    if (this.#isBusy) return
    const flow = this.#choose()
    if (flow === undefined) return
    this.#isBusy = true
    // It became free within the millisecond that was rounded up to: that rest of it counts.
    const nowMs = this.#clock.monotonicMs()
    this.#freeAtMs = (this.#freeAtMs > nowMs - 1 ? this.#freeAtMs : nowMs) + this.#quantumMs
    const sentAtMs = this.#freeAtMs
    this.#clock.at(sentAtMs, () => {
      this.#isBusy = false
      flow.onSent(sentAtMs)
      this.wake()
    })
  }

  #choose(): Flow | undefined {
    for (let step = 0; step < this.#flows.length; step++) {
      const at = (this.#next + step) % this.#flows.length
      const flow = this.#flows[at]
      if (flow?.canSend() !== true) continue
      this.#next = at + 1
      return flow
    }
    return undefined
  }
}
