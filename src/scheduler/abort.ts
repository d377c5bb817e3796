/** An abort switch that follows a parent signal and can also be thrown by itself. */
export interface Abort {
  readonly signal: AbortSignal
  cut(reason: unknown): void
}

export function createAbort(parent?: AbortSignal): Abort {
  const controller = new AbortController()
  const signal = parent === undefined ? controller.signal : AbortSignal.any([parent, controller.signal])
  return { signal, cut: (reason) => controller.abort(reason) }
}

/** Ends a transfer that is no longer needed. Never seen outside the scheduler. */
export const NOT_NEEDED: unique symbol = Symbol('the pieces came from elsewhere')
