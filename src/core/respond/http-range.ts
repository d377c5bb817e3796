import type { ByteRange } from '../model/artifact.ts'

/** What a `Range` header asks of a blob of known size. */
export type RangeAnswer =
  /** Answer 200 with everything: no range, or one that RFC 9110 §14.2 lets us ignore. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly range: ByteRange }
  /** Answer 416. */
  | { readonly kind: 'unsatisfiable' }

const SINGLE = /^bytes=(?:(\d+)-(\d*)|-(\d+))$/i
/** Every number with so few digits is exact in a double. */
const EXACT_DIGITS = 15

/**
 * Reads a `Range` header (RFC 9110 §14.1.2): one range of bytes, its end cut to the size. Malformed or several: all of it.
 * @param header as received, undefined or null when there is none
 */
export function parseRange(header: string | null | undefined, sizeBytes: number): RangeAnswer {
  const match = SINGLE.exec(header ?? '')
  if (match === null) return { kind: 'whole' }
  const [, first = '', last = '', suffix] = match
  if (suffix !== undefined) return parseSuffix(toNumber(suffix), sizeBytes)
  const start = toNumber(first)
  const end = last === '' ? sizeBytes : Math.min(toNumber(last) + 1, sizeBytes)
  if (last !== '' && toNumber(last) < start) return { kind: 'whole' }
  if (start >= sizeBytes) return { kind: 'unsatisfiable' }
  return { kind: 'part', range: { start, end } }
}

/** `Content-Range` of a 206. */
export function formatContentRange(range: ByteRange, sizeBytes: number): string {
  return `bytes ${range.start}-${range.end - 1}/${sizeBytes}`
}

/** `Content-Range` of a 416. */
export function formatUnsatisfiedRange(sizeBytes: number): string {
  return `bytes */${sizeBytes}`
}

function parseSuffix(lengthBytes: number, sizeBytes: number): RangeAnswer {
  if (lengthBytes === 0) return { kind: 'unsatisfiable' }
  // The last bytes of nothing are satisfiable, and no Content-Range can say so.
  if (sizeBytes === 0) return { kind: 'whole' }
  return { kind: 'part', range: { start: Math.max(0, sizeBytes - lengthBytes), end: sizeBytes } }
}

function toNumber(digits: string): number {
  const significant = digits.replace(/^0+/, '')
  return significant.length > EXACT_DIGITS ? Number.POSITIVE_INFINITY : Number(significant)
}
