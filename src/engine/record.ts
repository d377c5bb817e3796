import { encodeAuditRecord } from '../core/audit/encode-audit-record.ts'
import type { AuditRecord } from '../core/audit/record.ts'
import { tallySources, type SourceTraffic } from '../core/audit/tally.ts'
import { nowSeconds } from '../core/clock.ts'
import type { Failure } from '../core/errors.ts'
import type { TrustConfig } from '../core/manifest/site-config.ts'
import type { PieceIndex, SourceId } from '../core/model/ids.ts'
import { sha256Of } from '../core/verify/digest.ts'
import type { BundleOpinion } from '../core/verify/vouch.ts'
import type { EngineParts } from './parts.ts'
import type { Resolved } from './resolve.ts'

/** What is known of a delivery when it ends. */
export interface Ending {
  readonly resolved: Resolved
  readonly startedAtSeconds: number
  readonly outcome: AuditRecord['outcome']
  /** Accepted ones first. */
  readonly opinions: readonly BundleOpinion[]
  readonly origins: ReadonlyMap<PieceIndex, SourceId>
  /** Bytes of pieces by source, verified or not. */
  readonly received: ReadonlyMap<SourceId, number>
  /** Of pieces and documents. */
  readonly troubles: ReadonlyMap<SourceId, readonly Failure[]>
}

/** Writes the audit record of a delivery, chained to the one before it. */
export async function writeRecord(parts: EngineParts, ending: Ending, signal: AbortSignal): Promise<AuditRecord> {
  // One writer at a time over all tabs: two records with one predecessor would be two chains.
  return await parts.withLock(
    'sealift-audit',
    async () => {
      const before = await parts.memory.audit.last(signal)
      const { config } = await parts.trust.current(signal)
      const record = toRecord(parts, { ...ending, trust: config }, before)
      await parts.memory.audit.append(encodeAuditRecord(record), signal)
      return record
    },
    signal,
  )
}

function toRecord(parts: EngineParts, ending: Ending & { readonly trust: TrustConfig }, before: Uint8Array | undefined): AuditRecord {
  const { artifact, answer, freshness } = ending.resolved
  const traffic = trafficOf(ending)
  return {
    schema: 1,
    id: crypto.randomUUID(),
    startedAtSeconds: ending.startedAtSeconds,
    endedAtSeconds: Math.max(ending.startedAtSeconds, nowSeconds(parts.clock)),
    name: artifact.name,
    version: artifact.version,
    artifact: {
      sha256: artifact.sha256,
      sizeBytes: artifact.sizeBytes,
      pieces: artifact.pieces.count,
      pieceLengthBytes: artifact.pieces.lengthBytes,
    },
    outcome: ending.outcome,
    catalogue: {
      version: answer.catalogue.version,
      sha256: answer.payloadSha256,
      source: answer.source,
      freshness,
      expiresAtSeconds: answer.catalogue.expiresAtSeconds,
      verdict: answer.verdict,
    },
    verdicts: ending.opinions,
    sources: tallySources(artifact, { origins: ending.origins, traffic, tierOf: (source) => parts.hub.tierOf(source) }),
    policySha256: sha256Of(new TextEncoder().encode(JSON.stringify(ending.trust))),
    previous: before === undefined ? undefined : sha256Of(before),
  }
}

/** Every source that did anything, with all that it did wrong. */
function trafficOf({ received, troubles }: Ending): ReadonlyMap<SourceId, SourceTraffic> {
  const sources = new Set([...received.keys(), ...troubles.keys()])
  return new Map([...sources].map((source) => [source, { receivedBytes: received.get(source) ?? 0, failures: troubles.get(source) ?? [] }]))
}
