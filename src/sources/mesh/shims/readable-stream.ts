/**
 * The part of readable-stream's Duplex that simple-peer touches. What arrives is emitted at once and never queued: flow is controlled
 * by credit, above. Nothing waits for a timer, so a hidden tab is as fast as a visible one.
 */
type Listener = (...values: readonly unknown[]) => void

class Emitter {
  readonly #listeners = new Map<string, readonly Listener[]>()

  on(event: string, listener: Listener): this {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener])
    return this
  }

  once(event: string, listener: Listener): this {
    const onceOnly: Listener = (...values) => {
      this.removeListener(event, onceOnly)
      listener(...values)
    }
    return this.on(event, onceOnly)
  }

  removeListener(event: string, listener: Listener): this {
    this.#listeners.set(
      event,
      (this.#listeners.get(event) ?? []).filter((one) => one !== listener),
    )
    return this
  }

  emit(event: string, ...values: readonly unknown[]): boolean {
    const listeners = this.#listeners.get(event) ?? []
    for (const listener of listeners) listener(...values)
    return listeners.length > 0
  }
}

export class Duplex extends Emitter {
  readonly _readableState = { ended: false }
  readonly _writableState = { ended: false, finished: false }
  readonly allowHalfOpen = false

  push(data: unknown): boolean {
    if (data === null) {
      this._readableState.ended = true
      return this.emit('end')
    }
    return this.emit('data', data)
  }

  end(): void {
    this._writableState.ended = true
    this._writableState.finished = true
    this.emit('finish')
  }
}
