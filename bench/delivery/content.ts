import { createHash } from 'node:crypto'
import { seededBytes } from '../../test/fakes/seeded-random.ts'

/** What an artifact is made of: any range of it, without the rest ever being held. */
export interface ContentSpec {
  readonly seed: number
  readonly sizeBytes: number
}

const STRIDE = 64 * 1024
const BLOCK = 1024 * 1024

export type ReadContent = (start: number, end: number) => Buffer<ArrayBuffer>

/** One block over and over, with its place stamped into every 64 KiB, so that no two pieces are alike. */
export function createContent({ seed, sizeBytes }: ContentSpec): ReadContent {
  const block = seededBytes(seed, BLOCK)
  return (start, end) => {
    if (!(start >= 0 && start <= end && end <= sizeBytes)) throw new RangeError(`expected a range within ${sizeBytes}, got ${start}-${end}`)
    const bytes = Buffer.allocUnsafeSlow(end - start)
    for (let at = start; at < end;) {
      const within = at % BLOCK
      const length = Math.min(BLOCK - within, end - at)
      bytes.set(block.subarray(within, within + length), at - start)
      at += length
    }
    const stamp = Buffer.alloc(8)
    for (let at = Math.floor(start / STRIDE) * STRIDE; at < end; at += STRIDE) {
      stamp.writeDoubleBE(at)
      for (let i = 0; i < 8; i++) if (at + i >= start && at + i < end) bytes[at + i - start] = stamp[i] ?? 0
    }
    return bytes
  }
}

export interface CutContent {
  readonly sha256: string
  /** 32 bytes for each piece, in order. */
  readonly hashes: Uint8Array
}

export function cutContent(spec: ContentSpec, pieceLengthBytes: number): CutContent {
  const read = createContent(spec)
  const whole = createHash('sha256')
  const hashes: Buffer[] = []
  for (let start = 0; start < spec.sizeBytes; start += pieceLengthBytes) {
    const piece = read(start, Math.min(start + pieceLengthBytes, spec.sizeBytes))
    whole.update(piece)
    hashes.push(createHash('sha256').update(piece).digest())
  }
  return { sha256: whole.digest('hex'), hashes: Buffer.concat(hashes) }
}

/** All of it, a block at a time. */
export async function* contentChunks(spec: ContentSpec, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const read = createContent(spec)
  for (let start = 0; start < spec.sizeBytes; start += BLOCK) {
    signal.throwIfAborted()
    yield read(start, Math.min(start + BLOCK, spec.sizeBytes))
  }
}
