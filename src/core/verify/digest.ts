import { sha256 } from '@noble/hashes/sha2.js'
import { toSha256, type Sha256 } from '../model/ids.ts'

/** SHA-256 of something small (documents, not pieces), in place and without waiting. */
export function sha256Of(bytes: Uint8Array): Sha256 {
  return toHex(sha256(bytes))
}

/** @throws {TypeError} unless `digest` is 32 bytes */
export function toHex(digest: Uint8Array): Sha256 {
  let text = ''
  for (const byte of digest) text += byte.toString(16).padStart(2, '0')
  return toSha256(text)
}

/** The 32 bytes of a digest. */
export function fromHex(digest: Sha256): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(32)
  for (let i = 0; i < 32; i++) bytes[i] = Number.parseInt(digest.slice(2 * i, 2 * i + 2), 16)
  return bytes
}
