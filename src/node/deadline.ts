import type { Clock } from '../core/ports.ts'

/**
 * A signal that follows another one, and fires by itself when a wait lasts too long. Release it when the wait is over.
 * Its timer holds it: `AbortSignal.any` over `AbortSignal.timeout` may be collected in Node 20, and then never fires.
 * https://github.com/nodejs/node/issues/57736
 */
export interface Deadline {
  readonly signal: AbortSignal
  /** The time ran out; the signal then carries a `TimeoutError`. */
  readonly isMissed: boolean
  /** Something arrived: the whole time counts again from now. */
  renew(): void
  release(): void
}

/** @param limitMs from now, or from the last `renew` */
export function createDeadline(clock: Clock, limitMs: number, parent: AbortSignal): Deadline {
  const ended = new AbortController()
  const follow = (): void => ended.abort(parent.reason)
  let isMissed = false
  let timer = new AbortController()

  const start = (): void => {
    timer = new AbortController()
    const onTime = (): void => {
      isMissed = true
      ended.abort(new DOMException(`nothing for ${limitMs} ms`, 'TimeoutError'))
    }
    void clock.sleep(limitMs, timer.signal).then(onTime, () => undefined) // stopped: renewed or released
  }

  if (parent.aborted) follow()
  else {
    parent.addEventListener('abort', follow, { once: true })
    start()
  }
  return {
    signal: ended.signal,
    get isMissed() {
      return isMissed
    },
    renew() {
      timer.abort()
      if (!ended.signal.aborted) start()
    },
    release() {
      timer.abort()
      parent.removeEventListener('abort', follow)
    },
  }
}
