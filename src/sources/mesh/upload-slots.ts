/** How many peers are served at the same time, over all links of this page. */
export interface UploadSlots {
  /** False when all are taken. One that has a slot already keeps it. */
  take(holder: object): boolean
  release(holder: object): void
  readonly taken: number
}

export const UPLOAD_SLOTS = 4

/** @param limit 0 where uploading is switched off: metered lines, save-data */
export function createUploadSlots(limit = UPLOAD_SLOTS): UploadSlots {
  const holders = new Set<object>()
  return {
    take(holder) {
      if (!holders.has(holder) && holders.size >= limit) return false
      holders.add(holder)
      return true
    },
    release: (holder) => void holders.delete(holder),
    get taken() {
      return holders.size
    },
  }
}
