import { offeredBy } from '../fakes/offered.ts'
/** Networks as they should not be: sources that lie, stall, die, end early, overflow, come and go, in any mixture. */

import fc from 'fast-check'
import { DeliveryError, type Failure } from '../../src/core/errors.ts'
import type { BlobRef, ByteRange } from '../../src/core/model/artifact.ts'
import { toPieceIndex, toSourceId, type PieceIndex, type SourceId } from '../../src/core/model/ids.ts'
import type { Clock, Source, Tier } from '../../src/core/ports.ts'

/** What a source does with every read. `at` counts bytes of one read. */
export type Behaviour =
  | { readonly kind: 'honest' }
  /** Spoils the pieces that are set. */
  | { readonly kind: 'lies'; readonly pieces: readonly boolean[] }
  | { readonly kind: 'stalls'; readonly at: number }
  | { readonly kind: 'dies'; readonly at: number }
  /** Ends as if that were all. */
  | { readonly kind: 'ends'; readonly at: number }
  /** Goes on past the end of the range. */
  | { readonly kind: 'overflows' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refuses' }

export interface SourcePlan {
  readonly tier: Tier
  readonly behaviour: Behaviour
  readonly latencyMs: number
  readonly bytesPerSecond: number
  readonly chunkBytes: number
  readonly maxRunPieces: number
  /** Pieces that it says it has; undefined: all. Only peers say. */
  readonly offered: readonly boolean[] | undefined
  readonly joinsAtMs: number
  readonly leavesAtMs: number | undefined
}

export interface NetworkPlan {
  readonly sizeBytes: number
  readonly seed: number
  /** How long it takes to hash a piece. */
  readonly hashMs: number
  readonly sources: readonly SourcePlan[]
}

export const PIECE_BYTES = 1024

const offset = fc.nat(4 * PIECE_BYTES)
const pieceSet = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 })

const behaviour: fc.Arbitrary<Behaviour> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'honest' as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('lies' as const), pieces: pieceSet }) },
  fc.record({ kind: fc.constantFrom('stalls' as const, 'dies' as const, 'ends' as const), at: offset }),
  fc.constantFrom({ kind: 'overflows' as const }, { kind: 'missing' as const }, { kind: 'refuses' as const }),
)

const sourcePlan: fc.Arbitrary<SourcePlan> = fc
  .record({
    tier: fc.constantFrom<Tier>('cdn', 'gateway', 'mesh'),
    behaviour,
    latencyMs: fc.constantFrom(0, 1, 50, 390, 900, 5000),
    bytesPerSecond: fc.constantFrom(200, 10_000, 100_000, 10_000_000),
    chunkBytes: fc.constantFrom(100, 1024, 5000),
    maxRunPieces: fc.constantFrom(1, 3, 16),
    offered: fc.option(pieceSet, { nil: undefined }),
    joinsAtMs: fc.constantFrom(0, 0, 0, 300, 2500),
    leavesAtMs: fc.option(fc.constantFrom(1, 700, 4000), { nil: undefined, freq: 4 }),
  })
  .map((plan) => (plan.tier === 'mesh' ? { ...plan, maxRunPieces: 1 } : { ...plan, offered: undefined }))

export const network: fc.Arbitrary<NetworkPlan> = fc.record({
  sizeBytes: fc.constantFrom(0, 1, PIECE_BYTES, 5 * PIECE_BYTES - 1, 8 * PIECE_BYTES, 12 * PIECE_BYTES + 1),
  seed: fc.nat(1000),
  hashMs: fc.constantFrom(0, 3, 60),
  sources: fc.array(sourcePlan, { maxLength: 6, size: 'max' }),
})

/** A source that has everything, stays, and is fast enough for anybody. */
export const good: fc.Arbitrary<SourcePlan> = sourcePlan.map((plan) => ({
  ...plan,
  behaviour: { kind: 'honest' },
  latencyMs: Math.min(plan.latencyMs, 900),
  bytesPerSecond: 10_000_000,
  offered: undefined,
  joinsAtMs: 0,
  leavesAtMs: undefined,
}))

export interface PlannedSource extends Source {
  readonly plan: SourcePlan
  /** Reads that have not ended. */
  running: number
}

export interface Witness {
  /** Called at each read, before anything else. */
  onRead(source: SourceId, range: ByteRange): void
}

/** Each source spoils bytes in its own way, so that spoiled bytes tell whose they are. */
export function spoil(byte: number, order: number): number {
  return byte ^ (order + 1)
}

export function createPlannedSource(
  plan: SourcePlan,
  order: number,
  from: { readonly bytes: Uint8Array; readonly clock: Clock; readonly witness: Witness },
): PlannedSource {
  const id = toSourceId(`${plan.tier === 'mesh' ? 'peer' : plan.tier}:${order}`)
  const source: PlannedSource = {
    id,
    tier: plan.tier,
    maxRunPieces: plan.maxRunPieces,
    plan,
    running: 0,
    isOffered: (_blob: BlobRef, piece: PieceIndex) => plan.offered?.[piece] ?? true,
    offered: (artifact) => offeredBy(artifact, (piece) => plan.offered?.[piece] ?? true),
    read(_blob, range, signal) {
      from.witness.onRead(id, range)
      return counted(source, serve({ source, order, ...from }, range, signal))
    },
  }
  return source
}

async function* counted(
  source: PlannedSource,
  chunks: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  source.running++
  try {
    yield* chunks
  } finally {
    source.running--
  }
}

interface Serving {
  readonly source: PlannedSource
  readonly order: number
  readonly bytes: Uint8Array
  readonly clock: Clock
}

async function* serve(
  { source, order, bytes, clock }: Serving,
  range: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { behaviour: how, latencyMs, bytesPerSecond, chunkBytes } = source.plan
  signal.throwIfAborted()
  await clock.sleep(latencyMs, signal)
  const refusal = refusalOf(how, source.id)
  if (refusal !== undefined) throw new DeliveryError(refusal)
  const end = how.kind === 'overflows' ? range.end + PIECE_BYTES : range.end
  const stopAt = 'at' in how ? range.start + how.at : Infinity
  for (let at = range.start; at < end; at += chunkBytes) {
    if (at >= stopAt) {
      if (how.kind === 'ends') return
      if (how.kind === 'dies') throw new DeliveryError({ code: 'source-unreachable', source: source.id, phase: 'body', elapsedMs: 1 })
      await untilAborted(signal)
    }
    const chunk = new Uint8Array(Math.min(chunkBytes, end - at))
    chunk.set(bytes.subarray(at, at + chunk.length))
    if (how.kind === 'lies') spoilFirstBytes(chunk, { at, order, pieces: how.pieces })
    await clock.sleep((chunk.length / bytesPerSecond) * 1000, signal)
    signal.throwIfAborted()
    yield chunk
  }
}

/** Spoils the first byte of each piece that begins in this chunk and is set. */
function spoilFirstBytes(
  chunk: Uint8Array,
  from: { readonly at: number; readonly order: number; readonly pieces: readonly boolean[] },
): void {
  for (let i = 0; i < chunk.length; i++) {
    const at = from.at + i
    if (at % PIECE_BYTES === 0 && isSpoiled(from.pieces, toPieceIndex(at / PIECE_BYTES))) chunk[i] = spoil(chunk[i] ?? 0, from.order)
  }
}

function isSpoiled(pieces: readonly boolean[], piece: PieceIndex): boolean {
  return pieces[piece % pieces.length] ?? true
}

function refusalOf(how: Behaviour, source: SourceId): Failure | undefined {
  if (how.kind === 'missing') return { code: 'source-missing', source }
  return how.kind === 'refuses' ? { code: 'source-status', source, status: 503, retryAfterSeconds: undefined } : undefined
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
