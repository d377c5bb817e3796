import { DeliveryError, type Failure } from '../../src/core/errors.ts'
import type { BlobRef, ByteRange } from '../../src/core/model/artifact.ts'
import type { PieceIndex, Sha256, SourceId } from '../../src/core/model/ids.ts'
import type { Clock, Source, Tier } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'

/** How a source misbehaves from now on. */
export type Fault =
  | { readonly kind: 'none' }
  /** Fails every read before its first byte. */
  | { readonly kind: 'fails'; readonly failure: Failure }
  /** Serves `afterBytes` of each read, then nothing more, for ever. */
  | { readonly kind: 'stalls'; readonly afterBytes: number }
  /** Serves `afterBytes` of each read, then fails. */
  | { readonly kind: 'dies'; readonly afterBytes: number; readonly failure: Failure }
  /** Serves whole chunks up to `afterBytes` of each read or just past it, then ends as if that were all. */
  | { readonly kind: 'ends'; readonly afterBytes: number }
  /** Never ends: repeats its last chunk for ever. */
  | { readonly kind: 'overflows' }
  /** Flips the first byte of every chunk. */
  | { readonly kind: 'lies' }

export interface ArraySource extends Source {
  fault: Fault
  /** Every range that was asked for, in order. */
  readonly asked: readonly ByteRange[]
}

export interface ArraySourceOptions {
  readonly id: SourceId
  readonly tier: Tier
  readonly clock: Clock
  readonly blobs: readonly Uint8Array[]
  /** Before the first byte. Default 0. */
  readonly latencyMs?: number
  /** Default: as fast as can be. */
  readonly bytesPerSecond?: number
  /** Default 16 KiB. */
  readonly chunkBytes?: number
  readonly maxRunPieces?: number
  readonly isOffered?: (blob: BlobRef, piece: PieceIndex) => boolean
}

/** A source that reads arrays, as fast and as badly as a test wants it. */
export function createArraySource(options: ArraySourceOptions): ArraySource {
  const blobs = new Map<Sha256, Uint8Array>(options.blobs.map((bytes) => [sha256Of(bytes), bytes]))
  const asked: ByteRange[] = []
  const source: ArraySource = {
    id: options.id,
    tier: options.tier,
    maxRunPieces: options.maxRunPieces ?? 16,
    fault: { kind: 'none' },
    asked,
    isOffered: options.isOffered ?? ((blob) => blobs.has(blob.sha256)),
    read: (blob, range, signal) => {
      asked.push(range)
      return serve({ options, source, bytes: blobs.get(blob.sha256) }, range, signal)
    },
  }
  return source
}

interface Serving {
  readonly options: ArraySourceOptions
  readonly source: ArraySource
  readonly bytes: Uint8Array | undefined
}

async function* serve(
  { options, source, bytes }: Serving,
  range: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { clock, latencyMs = 0, bytesPerSecond, chunkBytes = 16 * 1024 } = options
  signal.throwIfAborted()
  await clock.sleep(latencyMs, signal)
  if (bytes === undefined) throw new DeliveryError({ code: 'source-missing', source: source.id })
  if (source.fault.kind === 'fails') throw new DeliveryError(source.fault.failure)
  for (let at = range.start; at < range.end; at += chunkBytes) {
    await misbehave(source.fault, at - range.start, signal)
    if (source.fault.kind === 'ends' && at - range.start >= source.fault.afterBytes) return
    const chunk = bytes.slice(at, Math.min(at + chunkBytes, range.end))
    if (bytesPerSecond !== undefined) await clock.sleep((chunk.length / bytesPerSecond) * 1000, signal)
    if (source.fault.kind === 'lies') chunk[0] = (chunk[0] ?? 0) ^ 0xff
    signal.throwIfAborted()
    yield chunk
    while (source.fault.kind === 'overflows' && at + chunk.length === range.end) {
      await clock.sleep(1, signal)
      yield chunk
    }
  }
}

async function misbehave(fault: Fault, servedBytes: number, signal: AbortSignal): Promise<void> {
  if (fault.kind === 'dies' && servedBytes >= fault.afterBytes) throw new DeliveryError(fault.failure)
  if (fault.kind === 'stalls' && servedBytes >= fault.afterBytes) await untilAborted(signal)
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
