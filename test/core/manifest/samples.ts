import { toArtifactName } from '../../../src/core/model/ids.ts'
import type { Catalogue, CatalogueEntry } from '../../../src/core/manifest/catalogue.ts'
import type { Manifest } from '../../../src/core/manifest/manifest.ts'
import type { SiteConfig } from '../../../src/core/manifest/site-config.ts'
import { sha256Of } from '../../../src/core/verify/digest.ts'
import { ANY_PROVENANCE } from '../../../src/core/verify/provenance-policy.ts'

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
export const digestOf = (text: string): CatalogueEntry['artifact']['sha256'] => sha256Of(utf8(text))

/** An entry as a publisher writes it, with what the test is about changed. */
export function sampleEntry(changes: Partial<CatalogueEntry> = {}): CatalogueEntry {
  return {
    name: toArtifactName('edge-agent'),
    version: '1.4.2',
    platform: 'linux/amd64',
    channel: 'stable',
    aliases: ['https://downloads.example/edge-agent-1.4.2.tar.gz'],
    manifest: { sha256: digestOf('manifest'), sizeBytes: 1500 },
    artifact: { sha256: digestOf('artifact'), sizeBytes: 3_000_000 },
    mesh: true,
    rollout: 100,
    yanked: false,
    ...changes,
  }
}

export function sampleCatalogue(changes: Partial<Catalogue> = {}): Catalogue {
  return {
    schema: 1,
    repository: 'releases.example',
    version: 1_790_000_000,
    createdAtSeconds: 1_790_000_000,
    refreshAfterSeconds: 1_790_003_600,
    expiresAtSeconds: 1_790_604_800,
    graceSeconds: 86_400,
    previous: { version: 1_789_000_000, sha256: digestOf('catalogue before') },
    origins: [{ id: 'eu', tier: 'cdn', url: 'https://eu.example/releases/', region: 'eu', operator: undefined }],
    delivery: { tiers: ['cdn', 'gateway', 'mesh'] },
    denied: [digestOf('withdrawn')],
    artifacts: [sampleEntry()],
    ...changes,
  }
}

export function sampleManifest(changes: Partial<Manifest> = {}): Manifest {
  return {
    schema: 1,
    name: toArtifactName('edge-agent'),
    version: '1.4.2',
    platform: 'linux/amd64',
    filename: 'edge-agent-1.4.2-linux-amd64.tar.gz',
    mediaType: 'application/gzip',
    sizeBytes: 3_000_000,
    sha256: digestOf('artifact'),
    priority: 'critical',
    pieces: { kind: 'inline', lengthBytes: 1_048_576, count: 3, hashes: new Uint8Array(96).fill(7) },
    bundles: [{ sha256: digestOf('bundle'), sizeBytes: 4321, kind: 'signature' }],
    createdAtSeconds: 1_790_000_000,
    previous: { version: '1.4.1', sha256: digestOf('manifest before') },
    ...changes,
  }
}

export function sampleConfig(changes: Partial<SiteConfig> = {}): SiteConfig {
  const signer = {
    kind: 'certificate',
    identity: 'https://ci.example/release.yml@refs/heads/main',
    issuer: 'https://issuer.example',
  } as const
  return {
    schema: 1,
    repository: 'releases.example',
    origins: [{ id: 'eu', url: 'https://eu.example/releases/' }],
    gateways: [{ id: 'plant-3', url: 'http://gateway.lan:8080/', addressSpace: 'local' }],
    preset: 'lan-first',
    tiers: undefined,
    mesh: {
      mode: 'lan',
      signaling: ['wss://signal.example/'],
      ticketUrl: 'https://portal.example/ticket',
      iceServers: [{ urls: 'stun:stun.example:3478', username: undefined, credential: undefined }],
    },
    trust: {
      catalogueSigners: [signer],
      artifactSigners: [signer, { kind: 'key', publicKeyPem: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n' }],
      trustedRoot: { mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1' },
      thresholds: { log: 1, sct: 1, timestamp: 0 },
      minSigners: { catalogue: 1, artifacts: 2 },
      provenance: { ...ANY_PROVENANCE, required: true, builderId: { workflow: 'https://ci.example/build.yml', refs: 'tags' } },
      minimumVersion: 1_700_000_000,
      version: 3,
      updates: {
        signers: [signer, { kind: 'key', publicKeyPem: '-----BEGIN PUBLIC KEY-----\nBBBB\n-----END PUBLIC KEY-----\n' }],
        minSigners: 2,
      },
    },
    maxGraceSeconds: 172_800,
    ...changes,
  }
}
