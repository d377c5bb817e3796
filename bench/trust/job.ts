/** What every contestant is given, in whatever place it runs: plain data. */
export interface TrustJob {
  readonly identity: string
  readonly issuer: string
  readonly trustedRoot: object
  /** All of one kind. Each is judged once, in this order. */
  readonly bundles: readonly SignedFile[]
}

export interface SignedFile {
  /** The bundle as JSON. */
  readonly file: string
  /** SHA-256 of what was signed, in hex. */
  readonly subject: string
  readonly artifactBase64: string
}

export interface Timing {
  /** The first bundle, with whatever is read and compiled for it. */
  readonly coldMs: number
  /** Median of the others. */
  readonly warmMs: number
}

/** A contestant that refuses an honest bundle has no time. */
export type Outcome = Timing | { readonly refusal: string }

export async function measure(job: TrustJob, judge: (one: SignedFile) => Promise<void>): Promise<Outcome> {
  const times: number[] = []
  try {
    for (const one of job.bundles) {
      const startedMs = performance.now()
      await judge(one)
      times.push(performance.now() - startedMs)
    }
  } catch (error) {
    return { refusal: String(error) }
  }
  const [coldMs = 0, ...rest] = times
  const sorted = rest.toSorted((a, b) => a - b)
  return { coldMs, warmMs: sorted[Math.floor(sorted.length / 2)] ?? 0 }
}
