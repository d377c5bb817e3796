import type { ASN1Obj, X509Certificate } from '@sigstore/core'
import { CERTIFICATE_EXTENSIONS, type CertificateExtensions } from '../core/verify/identity-policy.ts'
import { bundleInvalid } from './refusal.ts'

/** What a signing certificate says of its holder. Worth nothing before the certificate's chain was verified. */
export interface CertificateFacts {
  readonly identity: string
  readonly issuer: string
  readonly extensions: CertificateExtensions
}

const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17'
const EXTENDED_KEY_USAGE = '2.5.29.37'
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3'
/** Fulcio's own extensions: docs/oid-info.md of sigstore/fulcio. */
const FULCIO = '1.3.6.1.4.1.57264.1'
const RAW_ISSUER = `${FULCIO}.1`
const ISSUER = `${FULCIO}.8`

const EMAIL_NAME = 1
const URI_NAME = 6

/** @throws {DeliveryError} `bundle-invalid`, unless the certificate is for code signing and names one holder and one issuer */
export function readCertificateFacts(certificate: X509Certificate): CertificateFacts {
  requireCodeSigning(certificate)
  return {
    identity: readIdentity(certificate),
    issuer: readIssuer(certificate),
    extensions: Object.fromEntries(
      Object.entries(CERTIFICATE_EXTENSIONS).flatMap(([name, number]) => {
        const text = readText(certificate, `${FULCIO}.${number}`)
        return text === undefined ? [] : [[name, text]]
      }),
    ),
  }
}

/** Upstream does not look at the extended key usage. */
function requireCodeSigning(certificate: X509Certificate): void {
  const usages = certificate.extension(EXTENDED_KEY_USAGE)?.valueObj.subs[0]?.subs ?? []
  if (!usages.some((usage) => usage.toOID() === CODE_SIGNING)) throw bundleInvalid('the certificate is not for code signing')
}

/** Fulcio names one holder. With two, which of them an eye or a policy sees would be chance. */
function readIdentity(certificate: X509Certificate): string {
  const names = certificate.extension(SUBJECT_ALTERNATIVE_NAME)?.valueObj.subs[0]?.subs ?? []
  const [name, second] = names
  if (name === undefined || second !== undefined) throw bundleInvalid(`the certificate names ${names.length} holders, expected one`)
  if (!name.tag.isContextSpecific(URI_NAME) && !name.tag.isContextSpecific(EMAIL_NAME))
    throw bundleInvalid('the holder is neither a URI nor an e-mail address')
  return decode(name.value)
}

function readIssuer(certificate: X509Certificate): string {
  const raw = certificate.extension(RAW_ISSUER)
  const issuer = readText(certificate, ISSUER) ?? (raw === undefined ? undefined : decode(raw.value))
  if (issuer === undefined || issuer === '') throw bundleInvalid('the certificate does not say who vouched for its holder')
  return issuer
}

/** A Fulcio extension that holds a DER UTF8String. */
function readText(certificate: X509Certificate, oid: string): string | undefined {
  const extension = certificate.extension(oid)
  if (extension === undefined) return undefined
  const text: ASN1Obj | undefined = extension.valueObj.subs[0]
  if (text === undefined) throw bundleInvalid(`certificate extension ${oid} is not a string`)
  return decode(text.value)
}

/** Strict, since upstream's ASCII reader drops the top bit in Node: other bytes would then read as the wanted name. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw bundleInvalid('a name in the certificate is not UTF-8', error)
  }
}
