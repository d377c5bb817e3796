import { generateKeyPairSync } from 'node:crypto'
import { encodeEnvelope, TRUST_UPDATE } from '../../src/core/manifest/parse-envelope.ts'
import type { TrustConfig } from '../../src/core/manifest/site-config.ts'
import { encodeTrustUpdate, type TrustUpdate } from '../../src/core/manifest/trust-update.ts'
import { DEFAULT_THRESHOLDS, type Signer } from '../../src/core/verify/identity-policy.ts'
import { ANY_PROVENANCE } from '../../src/core/verify/provenance-policy.ts'
import { parseSigningKey, type SigningKey } from '../../src/node/signing/signing-key.ts'
import { contentOfBytes } from '../../src/node/signing/content.ts'

const never = new AbortController().signal

export function newSigningKey(): SigningKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return parseSigningKey(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
}

export function signerOf({ publicKeyPem }: SigningKey): Signer {
  return { kind: 'key', publicKeyPem }
}

/** Those who may change trust. */
export function updatesBy(keys: readonly SigningKey[], minSigners = 1): NonNullable<TrustConfig['updates']> {
  return { signers: keys.map(signerOf), minSigners }
}

/** A section under which `key` signs catalogue and artifacts. */
export function trustIn(key: SigningKey, updates: TrustConfig['updates'], version = 0): TrustConfig {
  return {
    catalogueSigners: [signerOf(key)],
    artifactSigners: [signerOf(key)],
    minSigners: { catalogue: 1, artifacts: 1 },
    trustedRoot: undefined,
    thresholds: DEFAULT_THRESHOLDS,
    provenance: ANY_PROVENANCE,
    minimumVersion: 0,
    version,
    updates,
  }
}

export type UpdateDraft = Partial<Omit<TrustUpdate, 'trust'>> & Pick<TrustUpdate, 'version'> & { readonly trust: TrustConfig }

/** The payload that the keys sign; the section in it says the update's number. */
export function payloadOf({ version, trust, ...over }: UpdateDraft): Uint8Array<ArrayBuffer> {
  const { updates = { signers: [], minSigners: 1 } } = trust
  return encodeTrustUpdate({
    schema: 1,
    repository: 'acme',
    version,
    createdAtSeconds: 1_790_000_000,
    denied: [],
    resetFloor: undefined,
    ...over,
    trust: { ...trust, version, updates },
  })
}

/** `/trust/<n>.json`: signed once by each key that is listed, again where it is listed again. */
export async function updateFile(draft: UpdateDraft, keys: readonly SigningKey[]): Promise<Uint8Array<ArrayBuffer>> {
  return await signedFile(payloadOf(draft), keys)
}

export async function signedFile(payload: Uint8Array, keys: readonly SigningKey[]): Promise<Uint8Array<ArrayBuffer>> {
  const bundles = await Promise.all(keys.map((key) => key.signContent(contentOfBytes(payload), never)))
  return encodeEnvelope({ payload, bundles }, TRUST_UPDATE)
}
