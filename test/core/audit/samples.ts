import type { AuditRecord } from '../../../src/core/audit/record.ts'
import type { Failure } from '../../../src/core/errors.ts'
import { toArtifactName, toPieceIndex, toSourceId } from '../../../src/core/model/ids.ts'
import type { SignatureVerdict } from '../../../src/core/verify/identity-policy.ts'
import { digestOf } from '../manifest/samples.ts'

export const verdict: SignatureVerdict = {
  signer: { kind: 'certificate', identity: 'https://ci.example/release.yml@refs/heads/main', issuer: 'https://issuer.example' },
  form: 'attestation',
  predicateType: 'https://slsa.dev/provenance/v1',
  provenance: { builderId: 'https://ci.example/builder', buildType: 'https://ci.example/workflow/v1' },
  sourceRepository: 'https://ci.example/agent',
  sourceRef: 'refs/heads/main',
  signedAtSeconds: 1_790_000_000,
}

/** One failure of each shape that a record can hold. */
export const failures: readonly Failure[] = [
  { code: 'source-unreachable', source: toSourceId('eu'), phase: 'connect', elapsedMs: 12.5 },
  { code: 'source-status', source: toSourceId('eu'), status: 503, retryAfterSeconds: undefined },
  { code: 'digest-mismatch', source: toSourceId('peer-1'), piece: toPieceIndex(3), expected: digestOf('a'), actual: digestOf('b') },
  { code: 'gateway-permission', source: toSourceId('gw'), state: 'denied' },
  { code: 'format-oversized', document: 'manifest', limitBytes: 65_536 },
  { code: 'catalogue-equivocation', version: 7, known: digestOf('a'), offered: digestOf('b') },
  { code: 'manifest-mismatch', name: toArtifactName('edge-agent'), field: 'size' },
  { code: 'artifact-unknown', name: 'edge-agent', version: undefined },
  { code: 'artifact-ambiguous', name: 'edge-agent', platforms: ['darwin/arm64', 'linux/amd64'] },
  { code: 'sources-exhausted', missingPieces: 2, reasons: [{ code: 'source-missing', source: toSourceId('eu') }] },
  { code: 'store-tampered', sha256: digestOf('a'), piece: undefined },
  { code: 'insecure-context' },
  { code: 'peer-timeout', phase: 'first-byte', elapsedMs: 2000 },
]

const MIB = 1024 * 1024

/** Three pieces, two from the CDN and the last one from a peer. */
export function sampleRecord(changes: Partial<AuditRecord> = {}): AuditRecord {
  return {
    schema: 1,
    id: '0d9c8f1e-2f7a-4a53-9a54-0d3f0b6b8f11',
    startedAtSeconds: 1_790_000_100,
    endedAtSeconds: 1_790_000_101.5,
    name: toArtifactName('edge-agent'),
    version: '1.4.2',
    artifact: { sha256: digestOf('artifact'), sizeBytes: 3_000_000, pieces: 3, pieceLengthBytes: MIB },
    outcome: { kind: 'delivered' },
    catalogue: { version: 1_790_000_000, sha256: digestOf('catalogue'), source: toSourceId('eu'), freshness: 'fresh', verdict },
    verdicts: [
      { bundle: digestOf('bundle'), verdict },
      {
        bundle: digestOf('other bundle'),
        failure: { code: 'identity-mismatch', expected: 'https://ci.example/', actual: 'https://evil.example/' },
      },
    ],
    sources: [
      {
        source: toSourceId('eu'),
        tier: 'cdn',
        pieces: [{ start: 0, end: 2 }],
        verifiedBytes: 2 * MIB,
        receivedBytes: 2 * MIB + 9,
        failures,
      },
      {
        source: toSourceId('peer-1'),
        tier: 'mesh',
        pieces: [{ start: 2, end: 3 }],
        verifiedBytes: 3_000_000 - 2 * MIB,
        receivedBytes: 902_848,
        failures: [],
      },
    ],
    policySha256: digestOf('policy'),
    previous: digestOf('record before'),
    ...changes,
  }
}
