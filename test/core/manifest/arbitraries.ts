import fc from 'fast-check'
import { isFilename } from '../../../src/core/model/filename.ts'
import { isArtifactName, isSha256 } from '../../../src/core/model/ids.ts'
import type { BlobRef } from '../../../src/core/model/artifact.ts'
import type { Catalogue, CatalogueEntry, Origin } from '../../../src/core/manifest/catalogue.ts'
import type { Manifest, ManifestPieces } from '../../../src/core/manifest/manifest.ts'
import type { SiteConfig } from '../../../src/core/manifest/site-config.ts'
import type { Identity, Signer } from '../../../src/core/verify/identity-policy.ts'
import type { ProvenancePolicy } from '../../../src/core/verify/provenance-policy.ts'
import { SLSA_PROVENANCE_TYPES } from '../../../src/core/verify/statement.ts'

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

export const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/).filter(isSha256)
const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,8}[a-z0-9]$/).filter(isArtifactName)
const version = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,10}$/)
const platform = fc.constantFrom('linux/amd64', 'linux/arm/v7', 'windows/amd64')
const label = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,10}$/)
const text = fc.string({ unit: 'binary', maxLength: 30 })
const seconds = fc.nat(2 ** 31)
const webUrl = fc.webUrl({ withQueryParameters: true }).map((url) => new URL(url).href)
const baseUrl = fc.webUrl().map((url) => new URL(`${url}/`).href)
const tiers = optional(fc.shuffledSubarray(['cdn', 'gateway', 'mesh'] as const, { minLength: 1 }))

const blob = (min: number, max: number): fc.Arbitrary<BlobRef> => fc.record({ sha256, sizeBytes: fc.integer({ min, max }) })

const origin: fc.Arbitrary<Origin> = fc.record({
  id: label,
  tier: fc.constantFrom('cdn', 'gateway'),
  url: baseUrl,
  region: optional(text),
  operator: optional(text),
})

const entry: fc.Arbitrary<CatalogueEntry> = fc.record({
  name,
  version,
  platform: optional(platform),
  channel: optional(fc.constantFrom('stable', 'beta')),
  aliases: fc.array(webUrl, { maxLength: 2 }),
  manifest: blob(1, 65_536),
  artifact: blob(0, 2 ** 40),
  mesh: fc.boolean(),
  rollout: fc.nat(100),
  yanked: fc.boolean(),
})

export const catalogue: fc.Arbitrary<Catalogue> = fc
  .record({
    schema: fc.constant(1 as const),
    repository: label,
    version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    createdAtSeconds: seconds,
    refreshAfterSeconds: seconds,
    expiresAtSeconds: seconds,
    graceSeconds: seconds,
    previous: optional(fc.record({ version: fc.integer({ min: 1 }), sha256 })),
    origins: fc.uniqueArray(origin, { selector: (item) => item.id, maxLength: 3 }),
    delivery: fc.record({ tiers }),
    denied: fc.array(sha256, { maxLength: 3 }),
    artifacts: fc.uniqueArray(entry, { selector: (item) => JSON.stringify([item.name, item.version, item.platform]), maxLength: 4 }),
  })
  .map((drawn) => ({ ...drawn, expiresAtSeconds: drawn.refreshAfterSeconds + drawn.expiresAtSeconds + 1 }))

const MIB = 1024 * 1024

function piecesOf(sizeBytes: number, lengthBytes: number): fc.Arbitrary<ManifestPieces> {
  const count = Math.ceil(sizeBytes / lengthBytes)
  const cut = { lengthBytes: fc.constant(lengthBytes), count: fc.constant(count) }
  const hashes = fc.uint8Array({ minLength: count * 32, maxLength: count * 32 })
  const list = sha256.map((digest) => ({ sha256: digest, sizeBytes: count * 32 }))
  if (count <= 64) return fc.record({ kind: fc.constant('inline' as const), ...cut, hashes })
  return fc.record({ kind: fc.constant('listed' as const), ...cut, list })
}

export const manifest: fc.Arbitrary<Manifest> = fc
  .tuple(fc.oneof(fc.nat(8 * MIB), fc.nat(64 * 1024 * MIB)), fc.constantFrom(1, 2, 4))
  .chain(([sizeBytes, megabytes]) =>
    fc.record({
      schema: fc.constant(1 as const),
      name,
      version,
      platform: optional(platform),
      filename: fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter(isFilename),
      mediaType: fc.constantFrom('application/gzip', 'text/html', 'application/vnd.a+json'),
      sizeBytes: fc.constant(sizeBytes),
      sha256,
      priority: fc.constantFrom('critical', 'normal'),
      pieces: piecesOf(sizeBytes, megabytes * MIB),
      bundles: fc.array(
        fc.record({ sha256, sizeBytes: fc.integer({ min: 1, max: 262_144 }), kind: fc.constantFrom('signature', 'attestation') }),
        { maxLength: 3 },
      ),
      createdAtSeconds: seconds,
      previous: optional(fc.record({ version, sha256 })),
    }),
  )

// A blank name is nobody's, and refused.
const words = fc.string({ minLength: 1 }).filter((text) => text.trim() !== '')
const identity: fc.Arbitrary<Identity> = fc.oneof(words, fc.record({ workflow: words, refs: fc.constantFrom('tags', 'heads') }))

const provenance: fc.Arbitrary<ProvenancePolicy> = fc.record({
  required: fc.boolean(),
  predicateTypes: fc.subarray([...SLSA_PROVENANCE_TYPES]),
  builderId: optional(identity),
  buildType: optional(words),
  source: fc.record({ uri: optional(words), ref: optional(words), digest: optional(words) }),
})

const signer: fc.Arbitrary<Signer> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('certificate' as const),
      identity,
      issuer: fc.webUrl(),
      extensions: fc.constantFrom({}, { buildTrigger: 'push' }, { sourceRepositoryRef: 'refs/heads/main', buildTrigger: 'push' }),
    },
    { requiredKeys: ['kind', 'identity', 'issuer'] },
  ),
  fc.record({
    kind: fc.constant('key' as const),
    publicKeyPem: fc.stringMatching(/^[A-Za-z\n]{1,40}$/).filter((pem) => pem.trim() !== ''),
  }),
)

export const siteConfig: fc.Arbitrary<SiteConfig> = fc.record({
  schema: fc.constant(1 as const),
  repository: label,
  origins: fc.uniqueArray(fc.record({ id: label.map((id) => `o${id}`), url: baseUrl }), { selector: (item) => item.id, maxLength: 3 }),
  gateways: fc.uniqueArray(
    fc.record({ id: label.map((id) => `g${id}`), url: baseUrl, addressSpace: optional(fc.constantFrom('local', 'loopback')) }),
    { selector: (item) => item.id, maxLength: 3 },
  ),
  preset: fc.constantFrom('cdn-first', 'lan-first', 'offline-lan'),
  tiers,
  mesh: fc.record({
    mode: fc.constantFrom('off', 'lan', 'full', 'relay'),
    signaling: fc.array(
      webUrl.map((url) => url.replace('http', 'ws')),
      { maxLength: 2 },
    ),
    ticketUrl: optional(webUrl),
    iceServers: fc.array(
      fc.record({ urls: fc.domain().map((host) => `turn:${host}`), username: optional(text), credential: optional(text) }),
      { maxLength: 2 },
    ),
    upload: optional(
      fc.record({
        slots: fc.nat(16),
        wanBytesPerSecond: fc.oneof(fc.constant(0), fc.integer({ min: 131_072, max: 2 ** 30 })),
        lanBytesPerSecond: optional(fc.integer({ min: 131_072, max: 2 ** 30 })),
        sessionBytes: fc.nat(2 ** 31),
      }),
    ),
  }),
  trust: fc.record({
    catalogueSigners: fc.uniqueArray(signer, {
      minLength: 1,
      maxLength: 3,
      selector: (one) => JSON.stringify([one.kind, ...Object.values(one).slice(1, 3)]).replace(/\\n/g, ''),
    }),
    artifactSigners: fc.tuple(signer),
    trustedRoot: fc.constant({ tlogs: [{ a: 1 }] }),
    thresholds: fc.record({ log: fc.nat(3), sct: fc.nat(3), timestamp: fc.nat(3) }),
    minSigners: fc.record({ catalogue: fc.constant(1), artifacts: fc.constant(1) }),
    provenance,
    refresh: optional(fc.record({ url: baseUrl, root: fc.constant({ signed: { version: 1 } }) })),
    minimumVersion: seconds,
    version: fc.nat(),
    updates: optional(fc.record({ signers: fc.tuple(signer), minSigners: fc.constant(1) })),
  }),
  maxGraceSeconds: seconds,
})
