import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuthority } from '../../src/node/authority/authority.ts'
import { GITHUB_ISSUER } from '../../src/node/authority/workflow.ts'
import type { Signer } from '../../src/core/verify/identity-policy.ts'
import { systemClock } from '../fakes/system-clock.ts'
import {
  createOfflineSigstore,
  IDENTITY,
  ISSUER,
  newEd25519Key,
  newKey,
  newRsaKey,
  provenanceAbout,
  publicPem,
  sha256,
  type BundleJson,
  type KeyPair,
  type OfflineSigstore,
} from '../trust/offline-sigstore.ts'
import type { PolicyFacts } from './verdicts.ts'

/** Bundles to start from. Plain data: keys and signatures are new each time, so a corpus is kept to repeat a run. */
export interface BundleCorpus {
  readonly policy: PolicyFacts
  /** What the genuine bundles sign. */
  readonly subject: string
  /** What nobody signed. */
  readonly foreign: string
  readonly genuine: readonly string[]
  /** The genuine ones with every mention of their subject exchanged for the foreign one. */
  readonly forged: readonly string[]
  /** By others, or about other files: parts to splice in. None of their signers ever signed the subject. */
  readonly donors: readonly string[]
  /** Signers that the policy allows, and who signed other files only. */
  readonly innocent: readonly string[]
}

const ARTIFACT = Buffer.from('what was signed')
const OTHER = Buffer.from('what others signed')
const OTHER_IDENTITY = 'https://github.com/acme/other/.github/workflows/release.yml@refs/tags/v1'
const AUTHORITY_IDENTITY = 'https://github.com/acme/site/.github/workflows/publish.yml@refs/heads/main'

export async function makeBundleCorpus(): Promise<BundleCorpus> {
  const sigstore = await createOfflineSigstore()
  const keys = [newKey(), newKey('P-384'), newRsaKey(), newEd25519Key()]
  const otherKey = newKey()
  const site = await signWithAuthority()
  const genuine = [...(await certified(sigstore)), ...(await keyed(sigstore, keys)), ...site.bundles]
  const innocent: readonly Signer[] = [{ kind: 'certificate', identity: OTHER_IDENTITY, issuer: ISSUER }, keySigner(otherKey)]
  const genuineSigners: readonly Signer[] = [
    { kind: 'certificate', identity: IDENTITY, issuer: ISSUER },
    { kind: 'certificate', identity: AUTHORITY_IDENTITY, issuer: GITHUB_ISSUER },
    ...keys.map(keySigner),
  ]
  return {
    policy: { signers: [...genuineSigners, ...innocent], trustedRoot: [sigstore.trustedRoot, site.trustedRoot] },
    subject: hex(ARTIFACT),
    foreign: hex(Buffer.from('what nobody signed')),
    genuine,
    forged: genuine.map(forge),
    donors: await donorsOf(sigstore, otherKey),
    innocent: innocent.map((signer) => JSON.stringify(signer)),
  }
}

async function certified(sigstore: OfflineSigstore): Promise<readonly string[]> {
  const message = await sigstore.signBlob(ARTIFACT)
  const attestation = await sigstore.attest(provenanceAbout(ARTIFACT))
  const older = {
    ...provenanceAbout(ARTIFACT),
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: 'https://slsa.dev/provenance/v0.2',
    predicate: { builder: { id: IDENTITY }, buildType: 'https://build.test/v1' },
  }
  const bundles = [
    message,
    await sigstore.signBlob(ARTIFACT, { witness: 'log' }),
    await sigstore.signBlob(ARTIFACT, { loggedAs: 'dsse' }),
    attestation,
    await sigstore.attest(older),
    withVersion(message, '0.1'),
    withVersion(message, '0.2'),
    withVersion(attestation, '0.1'),
  ]
  return [...bundles.map((bundle) => JSON.stringify(bundle)), `${JSON.stringify(message)}\n${JSON.stringify(attestation)}\n`]
}

async function keyed(sigstore: OfflineSigstore, keys: readonly KeyPair[]): Promise<readonly string[]> {
  const bundles: BundleJson[] = []
  for (const key of keys) {
    // Ed25519 signs no digest, so it signs envelopes only; an envelope is signed over SHA-256 by any other.
    if (key.publicKey.asymmetricKeyType !== 'ed25519') bundles.push(await sigstore.signBlob(ARTIFACT, { key }))
    bundles.push(await sigstore.attest(provenanceAbout(ARTIFACT), { key, witness: 'none' }))
  }
  return bundles.map((bundle) => JSON.stringify(bundle))
}

async function donorsOf(sigstore: OfflineSigstore, otherKey: KeyPair): Promise<readonly string[]> {
  const elsewhere = await createOfflineSigstore()
  const bundles = [
    await sigstore.signBlob(OTHER, { identity: OTHER_IDENTITY }),
    await sigstore.attest(provenanceAbout(OTHER), { identity: OTHER_IDENTITY }),
    await sigstore.signBlob(ARTIFACT, { identity: 'https://github.com/evil/agent/.github/workflows/release.yml@refs/tags/v1.2.3' }),
    await sigstore.signBlob(ARTIFACT, { issuer: 'https://evil.test' }),
    await sigstore.signBlob(OTHER, { key: otherKey }),
    await sigstore.signBlob(ARTIFACT, { key: newKey() }),
    await sigstore.attest({ ...provenanceAbout(ARTIFACT), predicateType: 'https://slsa.dev/verification_summary/v1' }),
    await elsewhere.signBlob(ARTIFACT),
    await elsewhere.attest(provenanceAbout(ARTIFACT)),
  ]
  return bundles.map((bundle) => JSON.stringify(bundle))
}

/** By the authority that demonstrations use. */
async function signWithAuthority(): Promise<{ readonly bundles: readonly string[]; readonly trustedRoot: unknown }> {
  const dir = await mkdtemp(join(tmpdir(), 'sealift-fuzz-authority-'))
  try {
    const authority = await openAuthority(dir, { clock: systemClock })
    const bundle = await authority.signBlob(ARTIFACT, { identity: AUTHORITY_IDENTITY, issuer: GITHUB_ISSUER }, AbortSignal.timeout(30_000))
    return { bundles: [Buffer.from(bundle).toString()], trustedRoot: authority.trustedRoot }
  } finally {
    await rm(dir, { recursive: true })
  }
}

/** As older clients wrote it: a chain instead of one certificate. */
function withVersion(bundle: BundleJson, version: string): BundleJson {
  const { certificate, ...material } = bundle.verificationMaterial
  return {
    ...bundle,
    mediaType: `application/vnd.dev.sigstore.bundle+json;version=${version}`,
    verificationMaterial: { ...material, x509CertificateChain: { certificates: [certificate] } },
  }
}

/** Exchanges the digest wherever it stands: in plain text, in base64, and inside what base64 holds. */
function forge(bundle: string): string {
  const foreign = Buffer.from('what nobody signed')
  const texts = (text: string): string =>
    text.replaceAll(hex(ARTIFACT), hex(foreign)).replaceAll(sha256(ARTIFACT).toString('base64'), sha256(foreign).toString('base64'))
  return texts(bundle).replaceAll(/"((?:[A-Za-z0-9+/]{4}){20,}[A-Za-z0-9+/=]*)"/g, (quoted: string, base64: string) => {
    const inside = Buffer.from(base64, 'base64').toString('latin1')
    return inside.startsWith('{') ? `"${Buffer.from(texts(inside), 'latin1').toString('base64')}"` : quoted
  })
}

function keySigner(pair: KeyPair): Signer {
  return { kind: 'key', publicKeyPem: publicPem(pair) }
}

function hex(bytes: Uint8Array): string {
  return sha256(bytes).toString('hex')
}
