import { encodingOf } from './encodings.ts'

const hexOf = (bytes: Uint8Array): string => encodingOf('hex').toText(bytes)

export interface RsaKey {
  readonly modulus: bigint
  readonly exponent: bigint
}

/** DigestInfo in front of the digest, RFC 8017 section 9.2, in hex. */
const DIGEST_INFO: ReadonlyMap<string, string> = new Map([
  ['sha256', '3031300d060960864801650304020105000420'],
  ['sha384', '3041300d060960864801650304020205000430'],
  ['sha512', '3051300d060960864801650304020305000440'],
])

const MIN_BYTES = 256
/** A larger modulus only costs time: nobody signs with one. */
const MAX_BYTES = 1024

/** RSASSA-PKCS1-v1_5 over a computed digest (RFC 8017 section 8.2.2), keys of 2048 to 8192 bits. All of it public, so plain BigInt is fine. */
export function verifyRsa(key: RsaKey, hash: string, digest: Uint8Array, signature: Uint8Array): boolean {
  const prefix = DIGEST_INFO.get(hash)
  const lengthBytes = Math.ceil(key.modulus.toString(16).length / 2)
  if (prefix === undefined || !isUsable(key, lengthBytes) || signature.length !== lengthBytes) return false
  const value = BigInt(`0x${hexOf(signature)}`)
  if (value >= key.modulus) return false
  const suffix = prefix + hexOf(digest)
  const expected = `0001${'ff'.repeat(lengthBytes - suffix.length / 2 - 3)}00${suffix}`
  return (
    power(value, key)
      .toString(16)
      .padStart(lengthBytes * 2, '0') === expected
  )
}

function isUsable(key: RsaKey, lengthBytes: number): boolean {
  return (
    lengthBytes >= MIN_BYTES && lengthBytes <= MAX_BYTES && key.exponent >= 3n && key.exponent < 1n << 32n && (key.exponent & 1n) === 1n
  )
}

function power(base: bigint, key: RsaKey): bigint {
  let result = 1n
  let square = base
  for (let rest = key.exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % key.modulus
    square = (square * square) % key.modulus
  }
  return result
}
