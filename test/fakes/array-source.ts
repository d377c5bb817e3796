import { DeliveryError, type Failure } from '../../src/core/errors.ts'
import type { BlobRef, ByteRange } from '../../src/core/model/artifact.ts'
import type { PieceIndex, Sha256, SourceId } from '../../src/core/model/ids.ts'
import type { Clock, Source, Tier } from '../../src/core/ports.ts'
import { offeredBy } from './offered.ts'
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
  /** A cache that was poisoned: lies like that until it is read past, and at that place no more. */
  | { readonly kind: 'poisoned'; readonly healed: Set<number> }
  /** Sends the whole blob whatever it is asked for. */
  | { readonly kind: 'ignores-ranges' }

export interface ArraySource extends Source {
  reread?: NonNullable<Source['reread']>
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
  /** A line that it shares with others, instead of `bytesPerSecond` for each read. */
  readonly line?: Line
  /** It can be read past its cache. */
  readonly isCache?: boolean
}

/** Lets so many bytes pass in a second, over all who use it. */
export interface Line {
  pass(bytes: number, signal: AbortSignal): Promise<void>
}

export function createLine(clock: Clock, bytesPerSecond: number): Line {
  let freeAtMs = 0
  return {
    async pass(bytes, signal) {
      freeAtMs = Math.max(freeAtMs, clock.monotonicMs()) + (bytes * 1000) / bytesPerSecond
      await clock.sleep(freeAtMs - clock.monotonicMs(), signal)
    },
  }
}

/** A source that reads arrays, as fast and as badly as a test wants it. */
export function createArraySource(options: ArraySourceOptions): ArraySource {
  const blobs = new Map<Sha256, Uint8Array>(options.blobs.map((bytes) => [sha256Of(bytes), bytes]))
  const asked: ByteRange[] = []
  let hasIgnoredRange = false
  const read: Source['read'] = (blob, range, signal) => {
    asked.push(range)
    const isWhole = range.end - range.start === blob.sizeBytes
    if (!isWhole) hasIgnoredRange = source.fault.kind === 'ignores-ranges'
    const sent = hasIgnoredRange ? { start: 0, end: blob.sizeBytes } : range
    return serve({ options, source, bytes: blobs.get(blob.sha256), isRefused: hasIgnoredRange && range.start > 0 }, sent, signal)
  }
  const isOffered = options.isOffered ?? ((blob: BlobRef) => blobs.has(blob.sha256))
  const source: ArraySource = {
    id: options.id,
    tier: options.tier,
    maxRunPieces: options.maxRunPieces ?? 16,
    fault: { kind: 'none' },
    asked,
    isOffered,
    offered: (artifact) => offeredBy(artifact, (piece) => isOffered(artifact, piece)),
    read,
    ignoresRanges: () => hasIgnoredRange,
  }
  if (options.isCache === true)
    source.reread = (blob, range, signal) => {
      if (source.fault.kind === 'poisoned') source.fault.healed.add(range.start)
      return read(blob, range, signal)
    }
  return source
}

interface Serving {
  readonly options: ArraySourceOptions
  readonly source: ArraySource
  readonly bytes: Uint8Array | undefined
  readonly isRefused: boolean
}

async function* serve(
  { options, source, bytes, isRefused }: Serving,
  range: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { clock, latencyMs = 0, bytesPerSecond, chunkBytes = 16 * 1024 } = options
  signal.throwIfAborted()
  await clock.sleep(latencyMs, signal)
  if (bytes === undefined) throw new DeliveryError({ code: 'source-missing', source: source.id })
  if (isRefused) throw new DeliveryError({ code: 'source-protocol', source: source.id, detail: 'ignored the range' })
  if (source.fault.kind === 'fails') throw new DeliveryError(source.fault.failure)
  for (let at = range.start; at < range.end; at += chunkBytes) {
    await misbehave(source.fault, at - range.start, signal)
    if (source.fault.kind === 'ends' && at - range.start >= source.fault.afterBytes) return
    const chunk = bytes.slice(at, Math.min(at + chunkBytes, range.end))
    if (bytesPerSecond !== undefined) await clock.sleep((chunk.length / bytesPerSecond) * 1000, signal)
    await options.line?.pass(chunk.length, signal)
    if (source.fault.kind === 'lies' || (source.fault.kind === 'poisoned' && !source.fault.healed.has(range.start)))
      chunk[0] = (chunk[0] ?? 0) ^ 0xff
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
