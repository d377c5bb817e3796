import { randomFillSync } from 'node:crypto'

/** Bytes drawn from the system at once: each draw costs far more than what it brings. */
const POOL_BYTES = 4096

/** Makes unguessable keys: so many bytes, as base64url. No byte serves twice. */
export function createRandomKeys(): (bytes: number) => string {
  const pool = Buffer.alloc(POOL_BYTES)
  let used = POOL_BYTES
  return (bytes) => {
    if (bytes > POOL_BYTES) throw new RangeError(`expected at most ${POOL_BYTES} bytes, got ${bytes}`)
    if (used + bytes > POOL_BYTES) {
      randomFillSync(pool)
      used = 0
    }
    const key = pool.toString('base64url', used, used + bytes)
    // A key that somebody holds should not lie about in memory a second time.
    pool.fill(0, used, used + bytes)
    used += bytes
    return key
  }
}
