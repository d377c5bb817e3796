import { IN_TOTO_PAYLOAD_TYPE } from '../../core/verify/statement.ts'
import { createSign, type KeyObject } from 'node:crypto'
import type { Sha256 } from '../../core/model/ids.ts'
import type { Content } from './content.ts'

/** https://docs.sigstore.dev/about/bundle/: the form that cosign 3 writes by default. */
const BUNDLE_MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'

/** What stands beside the signature: who signed, and which witnesses saw it. JSON as the bundle format has it. */
export type VerificationMaterial = Readonly<Record<string, unknown>>

export interface DsseEnvelope {
  readonly payload: Uint8Array
  readonly signature: Uint8Array
}

/** ECDSA over SHA-256 of the content, DER, without holding the content in memory. */
export async function signContent(content: Content, privateKey: KeyObject, signal: AbortSignal): Promise<Buffer> {
  const signer = createSign('sha256')
  for await (const chunk of content.chunks(signal)) signer.update(chunk)
  return signer.sign(privateKey)
}

/** DSSE's pre-authentication encoding of an in-toto payload. */
export function preAuthenticationEncoding(payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${IN_TOTO_PAYLOAD_TYPE.length} ${IN_TOTO_PAYLOAD_TYPE} ${payload.length} `), payload])
}

/** A bundle over bytes, as `cosign sign-blob` writes it. */
export function encodeMessageBundle(
  signed: { readonly sha256: Sha256; readonly signature: Uint8Array },
  material: VerificationMaterial,
): Uint8Array {
  return encode({
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: material,
    messageSignature: {
      messageDigest: {
        algorithm: 'SHA2_256',
        digest: Buffer.from(signed.sha256, 'hex').toString('base64'),
      },
      signature: base64(signed.signature),
    },
  })
}

/** A bundle over an in-toto statement, as `cosign attest-blob` writes it. */
export function encodeAttestationBundle(envelope: DsseEnvelope, material: VerificationMaterial): Uint8Array {
  return encode({
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: material,
    dsseEnvelope: {
      payload: base64(envelope.payload),
      payloadType: IN_TOTO_PAYLOAD_TYPE,
      signatures: [{ sig: base64(envelope.signature), keyid: '' }],
    },
  })
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

function encode(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}
