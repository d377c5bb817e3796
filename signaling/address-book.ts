import { createTokenBucket, type TokenBucket } from './token-bucket.ts'
import type { SignalingLimits } from './limits.ts'

/** Counts sockets per address, and slows whoever opens them too fast. */
export interface AddressBook {
  /** Addresses remembered now. */
  readonly size: number
  /** True when one more socket may be opened; call before `add`. */
  admits(key: string, nowMs: number): boolean
  add(key: string, nowMs: number): void
  remove(key: string): void
  /** Forgets addresses that have no socket and used no rate lately. */
  sweep(nowMs: number): void
}

export function createAddressBook(limits: SignalingLimits): AddressBook {
  const entries = new Map<string, { sockets: number; readonly bucket: TokenBucket }>()
  const rate = { burst: limits.upgradeBurst, perSecond: limits.upgradesPerSecond }
  const entryOf = (key: string, nowMs: number) => {
    const found = entries.get(key)
    if (found !== undefined) return found
    const made = { sockets: 0, bucket: createTokenBucket(rate, nowMs) }
    entries.set(key, made)
    return made
  }
  return {
    get size() {
      return entries.size
    },
    admits(key, nowMs) {
      const entry = entryOf(key, nowMs)
      return entry.sockets < limits.connectionsPerAddress && entry.bucket.take(nowMs)
    },
    add(key, nowMs) {
      entryOf(key, nowMs).sockets++
    },
    remove(key) {
      const entry = entries.get(key)
      if (entry !== undefined) entry.sockets--
    },
    sweep(nowMs) {
      for (const [key, entry] of entries) if (entry.sockets === 0 && entry.bucket.isFull(nowMs)) entries.delete(key)
    },
  }
}
