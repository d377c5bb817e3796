/** A figure at a time. */
export interface Sample {
  readonly minutes: number
  readonly value: number
}

/** What the figure grows by in a minute: the line that is nearest to all samples (least squares). 0 for fewer than two. */
export function slopeOf(samples: readonly Sample[]): number {
  const count = samples.length
  const meanMinutes = samples.reduce((sum, { minutes }) => sum + minutes, 0) / count
  const meanValue = samples.reduce((sum, { value }) => sum + value, 0) / count
  const along = samples.reduce((sum, { minutes }) => sum + (minutes - meanMinutes) ** 2, 0)
  const across = samples.reduce((sum, { minutes, value }) => sum + (minutes - meanMinutes) * (value - meanValue), 0)
  return along > 0 ? across / along : 0
}
