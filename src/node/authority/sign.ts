import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import {
  base64,
  encodeAttestationBundle,
  encodeMessageBundle,
  preAuthenticationEncoding,
  signContent,
  type VerificationMaterial,
} from '../signing/bundle-json.ts'
import type { Content } from '../signing/content.ts'
import type { Statement } from '../signing/statement.ts'
import { fulcioExtensions, type Claims } from './workflow.ts'
import type { LogReceipt, Witnesses } from './witnesses.ts'

/** Signs content with a key made for it alone, and has every witness see it. */
export async function signMessage(witnesses: Witnesses, content: Content, claims: Claims, signal: AbortSignal): Promise<Uint8Array> {
  const { privateKey, certificate } = await certify(witnesses, claims)
  const signature = await signContent(content, privateKey, signal)
  const receipt = await witnesses.log({
    kind: 'hashedrekord',
    apiVersion: '0.0.1',
    spec: {
      data: { hash: { algorithm: 'sha256', value: content.sha256 } },
      signature: {
        content: base64(signature),
        publicKey: { content: base64(Buffer.from(toPem(certificate))) },
      },
    },
  })
  const material = toMaterial(certificate, {
    kind: 'hashedrekord',
    receipt,
    token: await witnesses.timestamp(sha256(signature)),
  })
  return encodeMessageBundle({ sha256: content.sha256, signature }, material)
}

/** As `signMessage`, for an in-toto statement in a DSSE envelope. */
export async function signStatement(witnesses: Witnesses, statement: Statement, claims: Claims): Promise<Uint8Array> {
  const { privateKey, certificate } = await certify(witnesses, claims)
  const payload = Buffer.from(JSON.stringify(statement))
  const signature = sign('sha256', preAuthenticationEncoding(payload), privateKey)
  const receipt = await witnesses.log({
    kind: 'dsse',
    apiVersion: '0.0.1',
    spec: {
      payloadHash: { algorithm: 'sha256', value: sha256(payload).toString('hex') },
      signatures: [{ signature: base64(signature), verifier: base64(Buffer.from(toPem(certificate))) }],
    },
  })
  const material = toMaterial(certificate, {
    kind: 'dsse',
    receipt,
    token: await witnesses.timestamp(sha256(signature)),
  })
  return encodeAttestationBundle({ payload, signature }, material)
}

/** A key for one signature, and the certificate that ties it to the claims. */
async function certify(witnesses: Witnesses, claims: Claims) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = await witnesses.issueCertificate({
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    identity: claims.identity,
    extensions: fulcioExtensions(claims),
  })
  return { privateKey, certificate }
}

interface Seen {
  readonly kind: 'hashedrekord' | 'dsse'
  readonly receipt: LogReceipt
  readonly token: Uint8Array
}

function toMaterial(certificate: Uint8Array, { kind, receipt, token }: Seen): VerificationMaterial {
  const { proof } = receipt
  return {
    certificate: { rawBytes: base64(certificate) },
    tlogEntries: [
      {
        logIndex: String(receipt.logIndex),
        logId: { keyId: base64(Buffer.from(receipt.logIdHex, 'hex')) },
        kindVersion: { kind, version: '0.0.1' },
        integratedTime: String(receipt.integratedTime),
        inclusionPromise: { signedEntryTimestamp: receipt.signedEntryTimestampBase64 },
        inclusionProof: {
          logIndex: String(proof.logIndex),
          rootHash: base64(Buffer.from(proof.rootHashHex, 'hex')),
          treeSize: String(proof.treeSize),
          hashes: [],
          checkpoint: { envelope: proof.checkpoint },
        },
        canonicalizedBody: receipt.bodyBase64,
      },
    ],
    timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: base64(token) }] },
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function toPem(der: Uint8Array): string {
  const lines = base64(der).match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
