import type { RefreshedRoot } from './refresh.ts'

const REFRESH_AFTER_SECONDS = 86_400

export interface Following {
  readonly recall: () => Promise<RefreshedRoot | undefined>
  readonly refresh: () => Promise<RefreshedRoot>
  readonly nowSeconds: () => number
}

/** What is kept at once, and what the repository has once a day. @throws what `recall` and `refresh` throw; what was told stays true */
export async function follow({ recall, refresh, nowSeconds }: Following, onRoot: (trustedRoot: object) => void): Promise<void> {
  const kept = await recall()
  if (kept !== undefined) onRoot(kept.trustedRoot)
  const ageSeconds = nowSeconds() - (kept?.refreshedAtSeconds ?? 0)
  // An age below zero comes of a clock that was set back: then nobody knows.
  if (ageSeconds >= 0 && ageSeconds < REFRESH_AFTER_SECONDS) return
  onRoot((await refresh()).trustedRoot)
}
