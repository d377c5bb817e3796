import { createHash } from 'node:crypto'
import { base64 } from '../signing/bundle-json.ts'
import type { Generation, KeyPair } from './state.ts'
import { LOG_URL } from './witnesses.ts'

/**
 * Sigstore `trusted_root.json` for all generations, as parsed JSON: bundles of every start stay valid under it.
 * https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
 */
export function encodeTrustedRoot(generations: readonly Generation[]): Readonly<Record<string, unknown>> {
  return {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: generations.map((generation) => log(LOG_URL, generation.keys.signatureLog, generation)),
    certificateAuthorities: generations.map((generation) =>
      authority('https://fulcio.sealift.invalid', [generation.certificates.certificateRoot], generation),
    ),
    ctlogs: generations.map((generation) => log('https://ctfe.sealift.invalid', generation.keys.certificateLog, generation)),
    timestampAuthorities: generations.map((generation) =>
      authority('https://tsa.sealift.invalid', [generation.certificates.timestampLeaf, generation.certificates.timestampRoot], generation),
    ),
  }
}

function log(baseUrl: string, keys: KeyPair, generation: Generation): unknown {
  const rawBytes = keys.publicKey.export({ type: 'spki', format: 'der' })
  return {
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: {
      rawBytes: base64(rawBytes),
      keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      validFor: validFor(generation),
    },
    logId: { keyId: createHash('sha256').update(rawBytes).digest('base64') },
  }
}

function authority(uri: string, chain: readonly Uint8Array[], generation: Generation): unknown {
  return {
    subject: { organization: 'sealift offline authority', commonName: 'sealift offline authority' },
    uri,
    certChain: { certificates: chain.map((der) => ({ rawBytes: base64(der) })) },
    validFor: validFor(generation),
  }
}

function validFor(generation: Generation): { readonly start: string } {
  return { start: new Date(generation.startsAtSeconds * 1000).toISOString() }
}
