import { readFile } from 'node:fs/promises'
import type { TrustConfig } from '../../core/manifest/site-config.ts'
import { DeliveryError } from '../../core/errors.ts'
import type { CertificateExtensions, Identity, Signer, Thresholds } from '../../core/verify/identity-policy.ts'
import { ANY_PROVENANCE, type ProvenancePolicy } from '../../core/verify/provenance-policy.ts'
import { siteTrust } from '../../core/verify/site-trust.ts'
import { readBundleClaims, type BundleClaims } from '../../trust/bundle-claims.ts'
import { readInput } from '../input-file.ts'
import { readTrustedRoot } from './trusted-root-file.ts'

export interface DraftSources {
  /** Bundle files of a release, as its workflow made them. */
  readonly artifactBundles: readonly string[]
  /** Bundle files of a catalogue. Empty: whoever signs artifacts signs the catalogue too. */
  readonly catalogueBundles: readonly string[]
  readonly trustedRootPath: string
}

/** Extensions that stay the same from release to release, and that nobody takes over with a name: a repository may be renamed, its number not. */
const LASTING = ['runnerEnvironment', 'sourceRepositoryURI', 'sourceRepositoryIdentifier', 'sourceRepositoryOwnerIdentifier'] as const

/**
 * The narrowest policy that these bundles would pass and the next release too. It repeats what the bundles claim: a person has to say
 * that it is right.
 * @throws {DeliveryError} `bundle-invalid`; `input-invalid` for a bundle by a public key, which does not say which key; as `siteTrust`
 */
export async function draftPolicy({ artifactBundles, catalogueBundles, trustedRootPath }: DraftSources): Promise<TrustConfig> {
  const [artifacts, catalogue] = await Promise.all([artifactBundles, catalogueBundles].map(readAll))
  return draft({ artifacts: artifacts ?? [], catalogue: catalogue ?? [], trustedRoot: await readTrustedRoot(trustedRootPath) })
}

async function readAll(paths: readonly string[]): Promise<readonly BundleClaims[]> {
  const files = await Promise.all(paths.map((path) => readInput(path, (file) => readFile(file))))
  return files.flatMap((file) => readBundleClaims(file))
}

interface Claims {
  readonly artifacts: readonly BundleClaims[]
  readonly catalogue: readonly BundleClaims[]
  readonly trustedRoot: unknown
}

function draft({ artifacts, catalogue, trustedRoot }: Claims): TrustConfig {
  const artifactSigners = distinct(artifacts.map(signerOf))
  const trust: TrustConfig = {
    catalogueSigners: catalogue.length === 0 ? artifactSigners : distinct(catalogue.map(signerOf)),
    artifactSigners,
    minSigners: { catalogue: 1, artifacts: 1 },
    trustedRoot,
    thresholds: thresholdsOf([...artifacts, ...catalogue]),
    provenance: provenanceOf(artifacts),
    minimumVersion: 0,
    version: 0,
    updates: undefined,
  }
  siteTrust(trust)
  return trust
}

function signerOf({ certificate }: BundleClaims): Signer {
  if (certificate === undefined) {
    const detail = 'is signed by a public key, and does not say which: name the key itself in the policy, as publicKey'
    throw new DeliveryError({ code: 'input-invalid', path: 'bundle', detail })
  }
  const { identity, issuer, extensions } = certificate
  const lasting: CertificateExtensions = Object.fromEntries(
    LASTING.flatMap((name) => (extensions[name] === undefined ? [] : [[name, extensions[name]]])),
  )
  const signer = { kind: 'certificate', identity: identityOf(identity), issuer } as const
  return Object.keys(lasting).length === 0 ? signer : { ...signer, extensions: lasting }
}

/** A tag's name is another one in the next release. */
function identityOf(text: string): Identity {
  const [, workflow] = /^(.+)@refs\/tags\/[^@]+$/.exec(text) ?? []
  return workflow === undefined ? text : { workflow, refs: 'tags' }
}

function distinct(signers: readonly Signer[]): readonly Signer[] {
  return [...new Map(signers.map((signer) => [JSON.stringify(signer), signer])).values()]
}

/** What all of them have. Where a witness is missing everywhere, as in private instances, it cannot be asked for. */
function thresholdsOf(all: readonly BundleClaims[]): Thresholds {
  const count = (has: (claims: BundleClaims['witnesses']) => boolean): number => (all.every(({ witnesses }) => has(witnesses)) ? 1 : 0)
  return { log: count(({ log }) => log), sct: count(({ sct }) => sct), timestamp: 1 }
}

function provenanceOf(artifacts: readonly BundleClaims[]): ProvenancePolicy {
  const attested = artifacts.find(({ provenance }) => provenance !== undefined)
  if (attested?.provenance === undefined || attested.predicateType === undefined) return ANY_PROVENANCE
  const { builderId, buildType, sourceUri } = attested.provenance
  return {
    required: true,
    predicateTypes: [attested.predicateType],
    builderId: identityOf(builderId),
    buildType,
    source: { ...ANY_PROVENANCE.source, uri: attested.certificate?.extensions.sourceRepositoryURI ?? sourceUri },
  }
}
