/** What one direction of a path does to packets. */
export interface LineShape {
  /** Undefined: as fast as they come. */
  readonly bytesPerMs: number | undefined
  /** What may wait for its turn at that rate. A packet that finds the queue full is dropped. */
  readonly queueBytes: number
  /** Passes after its turn, or at once where there is no rate. */
  readonly delayMs: number
}

/** One direction of a path. It has no clock: the caller says when a packet comes, never earlier than the one before. */
export interface Line {
  /** @returns when the packet comes out at the other end; undefined when it was dropped */
  pass(bytes: number, nowMs: number): number | undefined
  /** Bytes that wait now. */
  queuedBytes(nowMs: number): number
}

export function createLine({ bytesPerMs, queueBytes, delayMs }: LineShape): Line {
  let freeAtMs = 0
  const queuedBytes = (nowMs: number): number => (bytesPerMs === undefined ? 0 : Math.max(0, freeAtMs - nowMs) * bytesPerMs)
  return {
    queuedBytes,
    pass(bytes, nowMs) {
      if (bytesPerMs === undefined) return nowMs + delayMs
      if (queuedBytes(nowMs) + bytes > queueBytes) return undefined
      freeAtMs = Math.max(freeAtMs, nowMs) + bytes / bytesPerMs
      return freeAtMs + delayMs
    },
  }
}
