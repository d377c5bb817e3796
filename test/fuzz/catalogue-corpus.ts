import { encodeCatalogue } from '../../src/core/manifest/parse-catalogue.ts'
import { encodeCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import type { Signer } from '../../src/core/verify/identity-policy.ts'
import { sampleCatalogue, sampleEntry, utf8 } from '../core/manifest/samples.ts'
import {
  createOfflineSigstore,
  IDENTITY,
  ISSUER,
  newKey,
  provenanceAbout,
  publicPem,
  type BundleJson,
  type KeyPair,
} from '../trust/offline-sigstore.ts'
import type { PolicyFacts } from './verdicts.ts'

/** Catalogues to start from. Plain data, so that a run can be repeated with the same keys. */
export interface CatalogueCorpus {
  readonly policy: PolicyFacts
  readonly repository: string
  readonly nowSeconds: number
  /** Texts that the publisher signed. */
  readonly payloads: readonly string[]
  /** `/catalogue.json` as served: cheap ones, signed by a key, and dear ones, signed by a certificate. */
  readonly keyed: readonly string[]
  readonly certified: readonly string[]
  /** Envelopes of others, or whose bundles are about something else: parts to splice in, and none to be accepted. */
  readonly donors: readonly string[]
  /** PKCS #8 in PEM, to sign what was damaged: the publisher's own key, and a stranger's. */
  readonly publisherKey: string
  readonly strangerKey: string
}

const MANY_ARTIFACTS = 12

export async function makeCatalogueCorpus(): Promise<CatalogueCorpus> {
  const sigstore = await createOfflineSigstore()
  const [publisher, stranger] = [newKey(), newKey()]
  const byKey = (bytes: Uint8Array, key: KeyPair = publisher) => sigstore.signBlob(bytes, { key, witness: 'none' })
  const [small, large, bare] = samplePayloads()
  const signers: readonly Signer[] = [
    { kind: 'key', publicKeyPem: publicPem(publisher) },
    { kind: 'certificate', identity: IDENTITY, issuer: ISSUER },
  ]
  const byStranger = await byKey(small, stranger)
  return {
    policy: { signers, trustedRoot: sigstore.trustedRoot },
    repository: sampleCatalogue().repository,
    nowSeconds: sampleCatalogue().version + 1000,
    payloads: [small, large, bare].map(textOf),
    keyed: [
      envelope(small, await byKey(small)),
      envelope(large, await byKey(large)),
      envelope(bare, await byKey(bare)),
      envelope(small, byStranger, await byKey(small)),
    ],
    certified: [envelope(small, await sigstore.signBlob(small)), envelope(large, await sigstore.signBlob(large), await byKey(large))],
    donors: [
      envelope(small, byStranger),
      envelope(small, await byKey(large)),
      envelope(small),
      envelope(bare, await sigstore.attest(provenanceAbout(bare))),
      envelope(large, await sigstore.signBlob(large, { identity: 'https://github.com/evil' })),
    ],
    publisherKey: privatePem(publisher),
    strangerKey: privatePem(stranger),
  }
}

/** Members of every kind; many artifacts; and as little as there may be. */
function samplePayloads(): readonly [Uint8Array, Uint8Array, Uint8Array] {
  const artifacts = Array.from({ length: MANY_ARTIFACTS }, (_, i) => sampleEntry({ version: `1.4.${i}`, yanked: i === 3, rollout: i * 8 }))
  const { repository, version, createdAtSeconds, refreshAfterSeconds, expiresAtSeconds } = sampleCatalogue()
  const bare = {
    schema: 1,
    repository,
    version: version + 2,
    created: createdAtSeconds,
    refreshAfter: refreshAfterSeconds,
    expires: expiresAtSeconds,
    artifacts: [],
  }
  return [
    encodeCatalogue(sampleCatalogue()),
    encodeCatalogue(sampleCatalogue({ version: version + 1, artifacts })),
    utf8(JSON.stringify(bare)),
  ]
}

function envelope(payload: Uint8Array, ...bundles: readonly BundleJson[]): string {
  return textOf(encodeCatalogueEnvelope({ payload, bundles: bundles.map((bundle) => utf8(JSON.stringify(bundle))) }))
}

function privatePem(pair: KeyPair): string {
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}
