import type { AuditRecord, SourceTally } from '../../core/audit/record.ts'
import type { Failure } from '../../core/errors.ts'
import { compareVersions } from '../../core/manifest/version-order.ts'
import type { Sha256 } from '../../core/model/ids.ts'

type Outcomes = Readonly<Record<AuditRecord['outcome']['kind'], number>>
type Tier = SourceTally['tier']
/** How often each code stands there. A record keeps no more than 20 failures of one source. */
export type FailureCounts = Readonly<Partial<Record<Failure['code'], number>>>

/** What one source, or one tier, did in all records. */
export interface SourceReport {
  readonly tier: Tier
  /** Undefined: all peers together. Their names are made up anew for each session, so one alone means nothing. */
  readonly source: string | undefined
  /** Downloads in which something came from it, or it failed. Peers of one download count singly. */
  readonly asked: number
  /** Those of them in which it gave a verified piece. */
  readonly served: number
  /** Of delivered files, those of earlier visits included. */
  readonly pieces: number
  readonly verifiedBytes: number
  /** Of all downloads, wasted bytes included; pieces that were there already cost none. */
  readonly receivedBytes: number
  readonly failures: FailureCounts
}

export interface TierReport {
  readonly tier: Tier
  /** Downloads in which a source of this tier gave something, or failed. */
  readonly asked: number
  /** Those of them in which one gave a verified piece. */
  readonly served: number
  /** Of delivered files. */
  readonly verifiedBytes: number
  readonly receivedBytes: number
}

/** Time from the question to the file, of delivered downloads for which bytes had to come. By clocks that their users set. */
export interface Durations {
  readonly count: number
  readonly p50Seconds: number
  readonly p95Seconds: number
}

export interface ArtifactReport {
  readonly name: string
  readonly version: string
  readonly sha256: Sha256
  readonly sizeBytes: number
  readonly outcomes: Outcomes
  /** Why downloads of it were refused or failed. */
  readonly failures: FailureCounts
  readonly durations: Durations | undefined
  /** Most verified bytes first. */
  readonly sources: readonly SourceReport[]
}

/** Something that was asked for and not had. */
export interface Miss {
  readonly name: string
  readonly version: string
  readonly sha256: Sha256
  readonly sizeBytes: number
  /** Downloads that ended without it. 0: others had it, where it was missing. */
  readonly failed: number
  readonly failures: FailureCounts
  /** Origins and gateways that said that they do not have it, or a document that goes with it. */
  readonly missingAt: readonly string[]
  /** A download that ended after the last failed one has it. */
  readonly isDeliveredSince: boolean
}

export interface AuditReport {
  readonly records: number
  /** Records that came more than once, and count once. */
  readonly repeated: number
  readonly outcomes: Outcomes
  readonly firstStartedAtSeconds: number | undefined
  readonly lastEndedAtSeconds: number | undefined
  readonly tiers: readonly TierReport[]
  readonly artifacts: readonly ArtifactReport[]
  readonly misses: readonly Miss[]
}

/** Adds up records. What it keeps grows with the artifacts and sources that they name, and by an id and a number for each record. */
export interface AuditTally {
  add(record: AuditRecord): void
  report(): AuditReport
}

interface SourceSum {
  asked: number
  served: number
  pieces: number
  verifiedBytes: number
  receivedBytes: number
  readonly failures: Counter
}

interface ArtifactSum {
  readonly of: AuditRecord
  readonly outcomes: Record<AuditRecord['outcome']['kind'], number>
  readonly failures: Counter
  readonly misses: Counter
  readonly durationsSeconds: number[]
  readonly sources: Map<string, SourceSum & { readonly tier: Tier; readonly source: string | undefined }>
  readonly missingAt: Set<string>
  lastFailedAtSeconds: number
  lastDeliveredAtSeconds: number
}

type Counter = Partial<Record<Failure['code'], number>>
const TIERS: readonly Tier[] = ['cdn', 'gateway', 'mesh']

/**
 * @example
 * const tally = createAuditTally()
 * for (const file of ['one.jsonl', 'other.jsonl']) await checkAuditFile({ file }, tally.add, AbortSignal.timeout(60_000))
 * console.log(tally.report().tiers)
 */
export function createAuditTally(): AuditTally {
  const ids = new Set<string>()
  const artifacts = new Map<string, ArtifactSum>()
  const tiers = new Map(TIERS.map((tier) => [tier, emptySum()]))
  const outcomes = noOutcomes()
  let repeated = 0
  let firstSeconds = Infinity
  let lastSeconds = -Infinity
  return {
    add(record) {
      if (ids.has(record.id)) {
        repeated++
        return
      }
      ids.add(record.id)
      outcomes[record.outcome.kind]++
      firstSeconds = Math.min(firstSeconds, record.startedAtSeconds)
      lastSeconds = Math.max(lastSeconds, record.endedAtSeconds)
      const key = JSON.stringify([record.name, record.version, record.artifact.sha256])
      const sum = artifacts.get(key) ?? emptyArtifact(record)
      artifacts.set(key, sum)
      addOutcome(sum, record)
      addSources(sum, record)
      addTiers(tiers, record)
    },
    report: () => ({
      records: ids.size,
      repeated,
      outcomes,
      firstStartedAtSeconds: ids.size === 0 ? undefined : firstSeconds,
      lastEndedAtSeconds: ids.size === 0 ? undefined : lastSeconds,
      tiers: [...tiers].map(([tier, { asked, served, verifiedBytes, receivedBytes }]) => ({
        tier,
        asked,
        served,
        verifiedBytes,
        receivedBytes,
      })),
      artifacts: [...artifacts.values()].map(toArtifactReport).toSorted(inOrder),
      misses: [...artifacts.values()].flatMap(toMiss).toSorted(inOrder),
    }),
  }
}

function addOutcome(sum: ArtifactSum, { outcome, startedAtSeconds, endedAtSeconds, sources }: AuditRecord): void {
  sum.outcomes[outcome.kind]++
  if ('failure' in outcome) count(sum.failures, outcome.failure)
  if (outcome.kind === 'failed') {
    count(sum.misses, outcome.failure)
    sum.lastFailedAtSeconds = Math.max(sum.lastFailedAtSeconds, endedAtSeconds)
  }
  if (outcome.kind !== 'delivered') return
  sum.lastDeliveredAtSeconds = Math.max(sum.lastDeliveredAtSeconds, endedAtSeconds)
  const isFetched = sources.some(({ receivedBytes }) => receivedBytes > 0)
  if (isFetched && endedAtSeconds >= startedAtSeconds) sum.durationsSeconds.push(endedAtSeconds - startedAtSeconds)
}

function addSources(sum: ArtifactSum, { outcome, sources }: AuditRecord): void {
  for (const tally of sources) {
    const source = tally.tier === 'mesh' ? undefined : tally.source
    const key = `${tally.tier} ${source ?? ''}`
    const into = sum.sources.get(key) ?? { tier: tally.tier, source, ...emptySum() }
    sum.sources.set(key, into)
    addTally(into, [tally], outcome.kind === 'delivered')
    for (const failure of tally.failures) {
      count(into.failures, failure)
      if (failure.code === 'source-missing' && source !== undefined) sum.missingAt.add(source)
    }
  }
}

function addTiers(tiers: ReadonlyMap<Tier, SourceSum>, { outcome, sources }: AuditRecord): void {
  for (const [tier, sum] of tiers) {
    const tallies = sources.filter((tally) => tally.tier === tier)
    addTally(sum, tallies, outcome.kind === 'delivered')
  }
}

/** What several tallies of one download did together. Without a byte and a failure, its pieces are of an earlier visit: nobody was asked. */
function addTally(sum: SourceSum, tallies: readonly SourceTally[], isDelivered: boolean): void {
  if (tallies.some(({ receivedBytes, failures }) => receivedBytes > 0 || failures.length > 0)) sum.asked++
  if (tallies.some(({ receivedBytes, verifiedBytes }) => receivedBytes > 0 && verifiedBytes > 0)) sum.served++
  for (const { pieces, verifiedBytes, receivedBytes } of tallies) {
    sum.receivedBytes += receivedBytes
    if (!isDelivered) continue
    sum.verifiedBytes += verifiedBytes
    sum.pieces += pieces.reduce((total, { start, end }) => total + end - start, 0)
  }
}

function toArtifactReport({ of, outcomes, failures, durationsSeconds, sources }: ArtifactSum): ArtifactReport {
  return {
    ...releaseOf(of),
    outcomes,
    failures,
    durations: durationsOf(durationsSeconds),
    sources: [...sources.values()].toSorted((a, b) => b.verifiedBytes - a.verifiedBytes || b.receivedBytes - a.receivedBytes),
  }
}

function toMiss({ of, outcomes, misses, missingAt, lastFailedAtSeconds, lastDeliveredAtSeconds }: ArtifactSum): readonly Miss[] {
  if (outcomes.failed === 0 && missingAt.size === 0) return []
  return [
    {
      ...releaseOf(of),
      failed: outcomes.failed,
      failures: misses,
      missingAt: [...missingAt].toSorted(),
      isDeliveredSince: lastDeliveredAtSeconds > lastFailedAtSeconds,
    },
  ]
}

function releaseOf({ name, version, artifact }: AuditRecord) {
  return { name, version, sha256: artifact.sha256, sizeBytes: artifact.sizeBytes }
}

function durationsOf(seconds: readonly number[]): Durations | undefined {
  if (seconds.length === 0) return undefined
  const sorted = seconds.toSorted((a, b) => a - b)
  // The nearest rank: a duration that was had, not one between two.
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return { count: sorted.length, p50Seconds: rank(0.5), p95Seconds: rank(0.95) }
}

function inOrder(a: Pick<ArtifactReport, 'name' | 'version'>, b: Pick<ArtifactReport, 'name' | 'version'>): number {
  return a.name === b.name ? compareVersions(b.version, a.version) : a.name < b.name ? -1 : 1
}

function count(counter: Counter, { code }: Failure): void {
  counter[code] = (counter[code] ?? 0) + 1
}

function emptySum(): SourceSum {
  return { asked: 0, served: 0, pieces: 0, verifiedBytes: 0, receivedBytes: 0, failures: {} }
}

function noOutcomes(): Record<AuditRecord['outcome']['kind'], number> {
  return { delivered: 0, refused: 0, failed: 0, cancelled: 0 }
}

function emptyArtifact(of: AuditRecord): ArtifactSum {
  return {
    of,
    outcomes: noOutcomes(),
    failures: {},
    misses: {},
    durationsSeconds: [],
    sources: new Map(),
    missingAt: new Set(),
    lastFailedAtSeconds: -Infinity,
    lastDeliveredAtSeconds: -Infinity,
  }
}
