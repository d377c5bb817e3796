/** What is known of an artifact that this browser keeps, wholly or in part. */
export interface KeptArtifact {
  readonly sha256: string
  readonly name: string
  readonly version: string
  readonly filename: string
  readonly sizeBytes: number
  /** Of its verified pieces. */
  readonly keptBytes: number
  readonly isComplete: boolean
  /** `purge()` leaves it. */
  readonly isPinned: boolean
  /** By this machine's clock. */
  readonly createdAtMs: number
  readonly lastUsedAtMs: number
}

export interface PurgeLimits {
  /** For all pieces together, those of pinned artifacts too. Default: no limit. */
  readonly maxBytes?: number | undefined
  /** How long an artifact stays after its last use. Default: for ever. */
  readonly maxAgeSeconds?: number | undefined
}

/**
 * What has to go: all that is too old, then the least recently used until the rest fits. Pinned ones count and stay, so the rest may not fit.
 * A time in the future, by a clock that was put back, is no age.
 */
export function choosePurge(kept: readonly KeptArtifact[], limits: PurgeLimits, nowMs: number): readonly KeptArtifact[] {
  const { maxBytes = Infinity, maxAgeSeconds = Infinity } = limits
  const candidates = kept.filter(({ isPinned }) => !isPinned).toSorted((a, b) => a.lastUsedAtMs - b.lastUsedAtMs)
  let restBytes = kept.reduce((sum, { keptBytes }) => sum + keptBytes, 0)
  return candidates.filter(({ lastUsedAtMs, keptBytes }) => {
    const isOver = nowMs - lastUsedAtMs > maxAgeSeconds * 1000 || restBytes > maxBytes
    if (isOver) restBytes -= keptBytes
    return isOver
  })
}
