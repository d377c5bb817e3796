import { toSignedEntity } from '@sigstore/verify'
import type { BuildClaim } from '../core/verify/identity-policy.ts'
import { parseStatement, readProvenance } from '../core/verify/statement.ts'
import { parseBundle, splitBundles } from './bundle-json.ts'
import { readCertificateFacts, type CertificateFacts } from './certificate-facts.ts'
import { refusalOf } from './refusal.ts'

/** What a bundle says of itself. Nothing of it is verified: for a person who writes a policy, and for nothing else. */
export interface BundleClaims {
  /** Undefined when a public key signed it; the bundle then does not say which. */
  readonly certificate: CertificateFacts | undefined
  /** Of an attestation: what kind of statement. */
  readonly predicateType: string | undefined
  /** Of SLSA provenance that can be read. */
  readonly provenance: BuildClaim | undefined
  /** Who witnessed it: whether there is such a witness, not whether it is right. */
  readonly witnesses: { readonly log: boolean; readonly sct: boolean; readonly timestamp: boolean }
}

const CERTIFICATE_TIMESTAMPS = '1.3.6.1.4.1.11129.2.4.2'

/** Each bundle of a file. @throws {DeliveryError} `bundle-invalid`, `format-oversized` */
export function readBundleClaims(file: Uint8Array): readonly BundleClaims[] {
  try {
    return splitBundles(file).map(claimsOf)
  } catch (error) {
    throw refusalOf(error)
  }
}

function claimsOf(text: string): BundleClaims {
  const bundle = parseBundle(text)
  const { key, timestamps, tlogEntries } = toSignedEntity(bundle)
  const certificate = key.$case === 'certificate' ? key.certificate : undefined
  const statement = bundle.content.$case === 'dsseEnvelope' ? bundle.content.dsseEnvelope : undefined
  return {
    certificate: certificate === undefined ? undefined : readCertificateFacts(certificate),
    ...(statement === undefined ? { predicateType: undefined, provenance: undefined } : statementOf(statement)),
    witnesses: {
      log: tlogEntries.length > 0,
      sct: certificate?.extension(CERTIFICATE_TIMESTAMPS) !== undefined,
      timestamp: timestamps.length > 0,
    },
  }
}

function statementOf(envelope: {
  readonly payloadType: string
  readonly payload: Uint8Array
}): Pick<BundleClaims, 'predicateType' | 'provenance'> {
  const statement = parseStatement(envelope.payloadType, envelope.payload)
  try {
    return { predicateType: statement.predicateType, provenance: readProvenance(statement) }
  } catch {
    // Another kind of statement, or a provenance that names no builder: it has nothing for a policy.
    return { predicateType: statement.predicateType, provenance: undefined }
  }
}
