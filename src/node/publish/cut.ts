import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { DeliveryError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { pieceCount, type BlobRef, type PieceLayout } from '../../core/model/artifact.ts'
import { toSha256 } from '../../core/model/ids.ts'
import { readInput } from '../input-file.ts'
import { readChunks } from '../signing/content.ts'

/** A file's digest, and the digests of its pieces. */
export interface CutFile extends BlobRef {
  readonly pieces: PieceLayout
}

const KIB = 1024
const MIB = 1024 * KIB
const PIECES_MAX = LIMITS.pieceListBytes / 32

/**
 * Piece length for an artifact of this size: small ones are cut finely, so that a lost piece costs little; at 1 MiB a
 * piece is one slice of a gateway. Beyond 64 GiB it grows, to keep the list of pieces small.
 */
export function defaultPieceLength(sizeBytes: number): number {
  if (sizeBytes <= MIB) return 64 * KIB
  if (sizeBytes <= 64 * MIB) return 256 * KIB
  let lengthBytes = MIB
  while (pieceCount(sizeBytes, lengthBytes) > PIECES_MAX && lengthBytes < LIMITS.pieceLengthMaxBytes) lengthBytes *= 2
  return lengthBytes
}

/** @throws {DeliveryError} `input-invalid` unless it is a power of two from 64 KiB to 4 MiB */
export function requirePieceLength(lengthBytes: number): number {
  const { pieceLengthMinBytes: min, pieceLengthMaxBytes: max } = LIMITS
  const isPower = Number.isSafeInteger(lengthBytes) && lengthBytes >= min && lengthBytes <= max && (lengthBytes & (lengthBytes - 1)) === 0
  if (isPower) return lengthBytes
  const detail = `expected a power of two from ${min} to ${max}, got ${lengthBytes}`
  throw new DeliveryError({ code: 'input-invalid', path: 'piece length', detail })
}

/**
 * Reads a file once, of any size, and cuts it.
 * @param options.pieceLengthBytes default by size
 * @param options.onChunk is given every byte that the digests are of, in order, and may not keep the array
 * @throws {DeliveryError} `input-invalid` when the file changes meanwhile, is too large or cannot be read
 */
export async function cutFile(
  path: string,
  options: { readonly pieceLengthBytes?: number | undefined; readonly onChunk?: ((chunk: Uint8Array) => void) | undefined },
  signal: AbortSignal,
): Promise<CutFile> {
  const { size } = await readInput(path, (file) => stat(file))
  const refuse = (detail: string) => new DeliveryError({ code: 'input-invalid', path, detail })
  const lengthBytes = options.pieceLengthBytes ?? defaultPieceLength(size)
  const count = pieceCount(size, lengthBytes)
  if (size > LIMITS.artifactBytes) throw refuse(`expected at most ${LIMITS.artifactBytes} bytes, got ${size}`)
  if (count > PIECES_MAX) throw refuse(`has ${count} pieces of ${lengthBytes} bytes, at most ${PIECES_MAX} are allowed`)
  const whole = createHash('sha256')
  const cutter = createCutter('sha256', { lengthBytes, count })
  let sizeBytes = 0
  for await (const chunk of readChunks(path, signal)) {
    sizeBytes += chunk.length
    if (sizeBytes > size) throw refuse('grew while it was read')
    whole.update(chunk)
    cutter.add(chunk)
    options.onChunk?.(chunk)
  }
  if (sizeBytes < size) throw refuse('shrank while it was read')
  return {
    sha256: toSha256(whole.digest('hex')),
    sizeBytes,
    pieces: { lengthBytes, count, hashes: cutter.end() },
  }
}

const DIGEST_BYTES = { sha256: 32, sha1: 20 } as const

/** Hashes every piece of what it is given, chunk by chunk. */
interface Cutter {
  add(chunk: Uint8Array): void
  /** The digests of all pieces, in order. Call it once, after the last chunk. */
  end(): Uint8Array
}

/** @param layout.count as many pieces as the chunks will make, the last of which may be shorter */
export function createCutter(algorithm: keyof typeof DIGEST_BYTES, { lengthBytes, count }: Omit<PieceLayout, 'hashes'>): Cutter {
  const digestBytes = DIGEST_BYTES[algorithm]
  const hashes = new Uint8Array(count * digestBytes)
  let piece = createHash(algorithm)
  let filled = 0
  let index = 0
  const close = () => {
    hashes.set(piece.digest(), index++ * digestBytes)
    piece = createHash(algorithm)
    filled = 0
  }
  return {
    add(chunk) {
      for (let at = 0; at < chunk.length;) {
        const part = chunk.subarray(at, at + lengthBytes - filled)
        piece.update(part)
        at += part.length
        filled += part.length
        if (filled === lengthBytes) close()
      }
    },
    end() {
      if (filled > 0) close()
      return hashes
    },
  }
}
