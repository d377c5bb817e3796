import type { Failure } from '../errors.ts'
import type { PieceIndex, SourceId } from '../model/ids.ts'
import type { SourceTally } from './record.ts'

/** What was received from one source in this delivery, wasted bytes included. */
export interface SourceTraffic {
  readonly receivedBytes: number
  readonly failures: readonly Failure[]
}

export interface TallyInput {
  /** Which source served each kept piece, as the store remembers it; pieces of an earlier visit are among them. */
  readonly origins: ReadonlyMap<PieceIndex, SourceId>
  readonly traffic: ReadonlyMap<SourceId, SourceTraffic>
  readonly tierOf: (source: SourceId) => SourceTally['tier']
}

/** Size of an artifact and how it is cut; an `Artifact` is one. */
export interface ArtifactCut {
  readonly sizeBytes: number
  readonly pieces: { readonly lengthBytes: number; readonly count: number }
}

type PieceRun = SourceTally['pieces'][number]

/**
 * Who delivered what: every piece of `origins` under exactly one source, its bytes counted once. A source that delivered
 * nothing is listed too, with its failures. Most delivered bytes first, then by name.
 */
export function tallySources(artifact: ArtifactCut, input: TallyInput): readonly SourceTally[] {
  const indices = new Map<SourceId, number[]>()
  for (const source of input.traffic.keys()) indices.set(source, [])
  for (const [index, source] of input.origins) {
    const list = indices.get(source)
    if (list === undefined) indices.set(source, [index])
    else list.push(index)
  }
  const tallies = [...indices].map(([source, list]) => {
    const pieces = toRuns(list)
    const traffic = input.traffic.get(source)
    return {
      source,
      tier: input.tierOf(source),
      pieces,
      verifiedBytes: bytesOf(artifact, pieces),
      receivedBytes: traffic?.receivedBytes ?? 0,
      failures: traffic?.failures ?? [],
    }
  })
  return tallies.sort((a, b) => b.verifiedBytes - a.verifiedBytes || (a.source < b.source ? -1 : 1))
}

/**
 * What is wrong with the tallies of one artifact, or undefined: a source named twice, a piece counted twice or out of
 * bounds, bytes that are not those of its pieces.
 */
export function findTallyFault(artifact: ArtifactCut, tallies: readonly SourceTally[]): string | undefined {
  if (new Set(tallies.map((tally) => tally.source)).size < tallies.length) return 'a source is named twice'
  let next = 0
  for (const { start, end } of sortedRuns(tallies)) {
    if (start < next) return `piece ${start} is counted twice`
    if (end > artifact.pieces.count) return `there is no piece ${end - 1}`
    next = end
  }
  const wrong = tallies.find((tally) => tally.verifiedBytes !== bytesOf(artifact, tally.pieces))
  return wrong === undefined ? undefined : `the bytes of ${wrong.source} are not those of its pieces`
}

/** True when tallies without a fault leave no piece out. */
export function isWholeTally(artifact: ArtifactCut, tallies: readonly SourceTally[]): boolean {
  const counted = sortedRuns(tallies).reduce((sum, run) => sum + run.end - run.start, 0)
  return counted === artifact.pieces.count
}

function sortedRuns(tallies: readonly SourceTally[]): readonly PieceRun[] {
  return tallies.flatMap((tally) => tally.pieces).sort((a, b) => a.start - b.start)
}

function toRuns(indices: readonly number[]): readonly PieceRun[] {
  const runs: { start: number; end: number }[] = []
  for (const index of [...indices].sort((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last?.end === index) last.end = index + 1
    else runs.push({ start: index, end: index + 1 })
  }
  return runs
}

/** Every piece is of full length but the last of the artifact. */
function bytesOf(artifact: ArtifactCut, runs: readonly PieceRun[]): number {
  const { lengthBytes } = artifact.pieces
  return runs.reduce((sum, run) => sum + Math.min(run.end * lengthBytes, artifact.sizeBytes) - run.start * lengthBytes, 0)
}
