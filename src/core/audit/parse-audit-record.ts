import { LIMITS } from '../limits.ts'
import { isLabel, isVersion } from '../model/names.ts'
import { pieceCount } from '../model/artifact.ts'
import { readSha256 } from '../manifest/blob-field.ts'
import { openJson } from '../json/json.ts'
import type { JsonField, MemberReader } from '../json/json-field.ts'
import { AUDIT_LIMITS } from './audit-limits.ts'
import { readFailure, readName, readSource } from './failure-field.ts'
import type { BundleOpinion } from '../verify/vouch.ts'
import type { AuditRecord, SourceTally } from './record.ts'
import { findTallyFault, isWholeTally } from './tally.ts'
import { readVerdict } from './verdict-field.ts'

const RECORD = [
  'schema',
  'id',
  'startedAtSeconds',
  'endedAtSeconds',
  'name',
  'version',
  'artifact',
  'outcome',
  'catalogue',
  'verdicts',
  'sources',
  'policySha256',
  'previous',
] as const
type Read = MemberReader<(typeof RECORD)[number]>

/**
 * Reads an audit record that a user exported. Checks that it adds up: every piece under one source, and of a delivered
 * artifact every piece. Whether it is the record that was written, only the chain says.
 * @throws {DeliveryError} `format-invalid`, `format-oversized`, `format-unsupported`
 */
export function parseAuditRecord(bytes: Uint8Array): AuditRecord {
  const read = openJson(bytes, { document: 'audit-record', limitBytes: AUDIT_LIMITS.recordBytes }).object(RECORD)
  const schema = read('schema').schema(1)
  const artifact = readArtifact(read('artifact'))
  const outcome = readOutcome(read('outcome'))
  return {
    schema,
    id: read('id').checked(isLabel, 'letters, digits and . _ : -'),
    startedAtSeconds: read('startedAtSeconds').number(),
    endedAtSeconds: read('endedAtSeconds').number(),
    name: readName(read('name')),
    version: read('version').checked(isVersion, 'a version of letters, digits and . _ + ~ -'),
    artifact,
    outcome,
    catalogue: readCatalogue(read('catalogue')),
    verdicts: read('verdicts').list(AUDIT_LIMITS.verdicts).map(readOpinion),
    sources: readSources(read, { artifact, isWhole: outcome.kind === 'delivered' }),
    policySha256: readSha256(read('policySha256')),
    previous: read('previous').optional(readSha256),
  }
}

function readArtifact(field: JsonField): AuditRecord['artifact'] {
  const read = field.object(['sha256', 'sizeBytes', 'pieces', 'pieceLengthBytes'])
  const sizeBytes = read('sizeBytes').integer(0, LIMITS.artifactBytes)
  const pieceLengthBytes = read('pieceLengthBytes').integer(LIMITS.pieceLengthMinBytes, LIMITS.pieceLengthMaxBytes)
  const pieces = read('pieces').integer(0)
  if (pieces !== pieceCount(sizeBytes, pieceLengthBytes)) throw read('pieces').refuse('expected the count that size and piece length give')
  return { sha256: readSha256(read('sha256')), sizeBytes, pieces, pieceLengthBytes }
}

function readOutcome(field: JsonField): AuditRecord['outcome'] {
  const read = field.object(['kind', 'failure'])
  const kind = read('kind').oneOf(['delivered', 'refused', 'failed', 'cancelled'])
  return kind === 'refused' || kind === 'failed' ? { kind, failure: readFailure(read('failure')) } : { kind }
}

function readCatalogue(field: JsonField): AuditRecord['catalogue'] {
  const read = field.object(['version', 'sha256', 'source', 'freshness', 'expiresAtSeconds', 'verdict'])
  return {
    version: read('version').integer(1),
    sha256: readSha256(read('sha256')),
    source: readSource(read('source')),
    freshness: read('freshness').oneOf(['fresh', 'stale', 'pinned']),
    expiresAtSeconds: read('expiresAtSeconds').optional((field) => field.integer(0)),
    verdict: readVerdict(read('verdict')),
  }
}

function readOpinion(field: JsonField): BundleOpinion {
  const read = field.object(['bundle', 'verdict', 'failure'])
  const bundle = readSha256(read('bundle'))
  const failure = read('failure').optional(readFailure)
  return failure === undefined ? { bundle, verdict: readVerdict(read('verdict')) } : { bundle, failure }
}

function readSources(read: Read, of: { readonly artifact: AuditRecord['artifact']; readonly isWhole: boolean }): readonly SourceTally[] {
  const field = read('sources')
  const sources = field.list(AUDIT_LIMITS.sources).map(readTally)
  const { sizeBytes, pieces: count, pieceLengthBytes: lengthBytes } = of.artifact
  const cut = { sizeBytes, pieces: { lengthBytes, count } }
  const fault = findTallyFault(cut, sources)
  if (fault !== undefined) throw field.refuse(fault)
  if (of.isWhole && !isWholeTally(cut, sources)) throw field.refuse('a delivered piece has no source')
  return sources
}

function readTally(field: JsonField): SourceTally {
  const read = field.object(['source', 'tier', 'pieces', 'verifiedBytes', 'receivedBytes', 'failures'])
  return {
    source: readSource(read('source')),
    tier: read('tier').oneOf(['cdn', 'gateway', 'mesh']),
    pieces: read('pieces').list(AUDIT_LIMITS.rangesPerSource).map(readRun),
    verifiedBytes: read('verifiedBytes').integer(0),
    receivedBytes: read('receivedBytes').integer(0),
    failures: read('failures').list(AUDIT_LIMITS.failuresPerSource).map(readFailure),
  }
}

function readRun(field: JsonField): SourceTally['pieces'][number] {
  const read = field.object(['start', 'end'])
  const start = read('start').integer(0)
  return { start, end: read('end').integer(start + 1) }
}
