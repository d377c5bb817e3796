import { failureOf } from '../../src/core/errors.ts'
import type { BlobRef, ByteRange } from '../../src/core/model/artifact.ts'
import { toPieceIndex } from '../../src/core/model/ids.ts'
import type { Source } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { makeArtifact } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { expectSame, reasonOf, type ContractCase } from './check.ts'

/** A source under test that serves `SOURCE_BLOB`, cut into pieces of `SOURCE_PIECE_BYTES`. */
export interface SourceSubject {
  readonly source: Source
}

export const SOURCE_PIECE_BYTES = 64 * 1024
/** Five pieces, the last one shorter. */
export const SOURCE_BYTES = seededBytes(11, 4 * SOURCE_PIECE_BYTES + 1000)
export const SOURCE_ARTIFACT = makeArtifact(SOURCE_BYTES, SOURCE_PIECE_BYTES)

const BLOB: BlobRef = { sha256: SOURCE_ARTIFACT.sha256, sizeBytes: SOURCE_ARTIFACT.sizeBytes }
const never = new AbortController().signal

export const SOURCE_CASES: readonly ContractCase<SourceSubject>[] = [
  {
    name: 'reads every piece exactly',
    run: async ({ source }) => {
      for (let index = 0; index < SOURCE_ARTIFACT.pieces.count; index++) {
        const range = pieces(index, 1)
        expectSame(digestOf(await collect(source, range)), digestOf(SOURCE_BYTES.subarray(range.start, range.end)), `piece ${index}`)
      }
    },
  },
  {
    name: 'reads its longest run of pieces in order',
    run: async ({ source }) => {
      const range = pieces(0, Math.min(source.maxRunPieces, SOURCE_ARTIFACT.pieces.count))
      expectSame(digestOf(await collect(source, range)), digestOf(SOURCE_BYTES.subarray(range.start, range.end)), 'the run')
    },
  },
  {
    name: 'two reads at the same time do not mix',
    run: async ({ source }) => {
      const ranges = [pieces(1, 1), pieces(4, 1), pieces(2, 1)]
      const bodies = await Promise.all(ranges.map((range) => collect(source, range)))
      expectSame(
        bodies.map(digestOf),
        ranges.map((range) => digestOf(SOURCE_BYTES.subarray(range.start, range.end))),
        'bodies',
      )
    },
  },
  {
    name: 'a reader that leaves early does not harm the next one',
    run: async ({ source }) => {
      for await (const chunk of source.read(BLOB, pieces(0, 1), never)) {
        expectSame(chunk.length > 0, true, 'a non-empty chunk')
        break
      }
      const range = pieces(3, 1)
      expectSame(digestOf(await collect(source, range)), digestOf(SOURCE_BYTES.subarray(range.start, range.end)), 'the next piece')
    },
  },
  {
    name: 'rejects with the abort reason itself, before and in the middle of a transfer',
    run: async ({ source }) => {
      const reason = new Error('enough')
      expectSame((await reasonOf(collect(source, pieces(0, 1), AbortSignal.abort(reason)))) === reason, true, 'the reason itself')
      const controller = new AbortController()
      const work = async (): Promise<void> => {
        for await (const chunk of source.read(BLOB, pieces(0, 1), controller.signal)) if (chunk.length > 0) controller.abort(reason)
      }
      const seen = await work().then(
        () => undefined,
        (error: unknown) => error,
      )
      // The whole piece may have come in one chunk; then there was nothing left to stop.
      if (seen !== undefined) expectSame(seen === reason, true, 'the reason itself')
    },
  },
  {
    name: 'fails on a blob it does not have, or says beforehand that it does not offer it',
    run: async ({ source }) => {
      const unknown: BlobRef = { sha256: sha256Of(new Uint8Array([1, 2, 3])), sizeBytes: 1024 }
      if (!source.isOffered(unknown, toPieceIndex(0))) return
      const reason = await reasonOf(collect(source, { start: 0, end: 1024 }, never, unknown))
      expectSame(failureOf(reason) !== undefined, true, `a failure of ours, not ${String(reason)}`)
    },
  },
  {
    name: 'offers what it has',
    run: async ({ source }) => {
      expectSame(source.isOffered(BLOB, toPieceIndex(0)), true, 'offered')
      expectSame(source.maxRunPieces >= 1, true, 'runs of at least one piece')
    },
  },
]

/** All bytes of one read. */
export async function collect(source: Source, range: ByteRange, signal: AbortSignal = never, blob: BlobRef = BLOB): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source.read(blob, range, signal)) {
    expectSame(chunk.length > 0, true, 'a non-empty chunk')
    chunks.push(chunk.slice())
  }
  return new Uint8Array(await new Blob(chunks.map((chunk) => new Uint8Array(chunk))).arrayBuffer())
}

function pieces(first: number, count: number): ByteRange {
  return { start: first * SOURCE_PIECE_BYTES, end: Math.min((first + count) * SOURCE_PIECE_BYTES, SOURCE_BYTES.length) }
}

function digestOf(bytes: Uint8Array): string {
  return `${bytes.length} bytes ${sha256Of(bytes)}`
}
