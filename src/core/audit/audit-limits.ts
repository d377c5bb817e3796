/** How much one audit record may hold. A delivery that went worse than this is told in part. */
export const AUDIT_LIMITS = {
  recordBytes: 16 * 1024 * 1024,
  /** Of one text in a failure. */
  textCharacters: 500,
  sources: 1000,
  /** Bundles that somebody judged; the accepted ones of them first. */
  verdicts: 64,
  /** Half-open index ranges of one source: every second piece of the largest artifact. */
  rangesPerSource: 32_768,
  failuresPerSource: 20,
  /** Failures under `reasons` of another failure. */
  reasons: 16,
  reasonDepth: 2,
} as const
