import { encodingOf } from './encodings.ts'

const { toText } = encodingOf('hex')

/**
 * Signatures that have been verified, so that those which every bundle repeats (an intermediate's by its root, the timestamp authority's chain)
 * are verified once: 5 to 15 ms each. By everything that the answer depends on, byte by byte. What failed is not remembered.
 */
export interface Proven {
  /** Runs `verify`, unless it was true for exactly this before. */
  once(question: ProvenQuestion, verify: () => boolean): boolean
}

export interface ProvenQuestion {
  readonly key: Uint8Array
  /** Names how the key is used: kind, curve and hash. */
  readonly manner: string
  readonly digest: Uint8Array
  readonly signature: Uint8Array
}

/** The oldest go first. */
export function createProven(most: number): Proven {
  const known = new Set<string>()
  return {
    once({ key, manner, digest, signature }, verify) {
      const name = [manner, ...[key, digest, signature].map(toText)].join()
      if (known.has(name)) return true
      if (!verify()) return false
      const [oldest] = known
      if (known.size >= most && oldest !== undefined) known.delete(oldest)
      known.add(name)
      return true
    },
  }
}
