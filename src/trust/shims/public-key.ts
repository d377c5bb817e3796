import { ed25519 } from '@noble/curves/ed25519.js'
import { p256, p384, p521 } from '@noble/curves/nist.js'
import { readBits, readDer, readOid, readSequence, readUnsigned, type DerNode } from './der.ts'
import { encodingOf } from './encodings.ts'
import { verifyRsa, type RsaKey } from './rsa.ts'

const CURVES = { 'P-256': p256, 'P-384': p384, 'P-521': p521 } as const
const CURVE_OIDS: ReadonlyMap<string, keyof typeof CURVES> = new Map([
  ['1.2.840.10045.3.1.7', 'P-256'],
  ['1.3.132.0.34', 'P-384'],
  ['1.3.132.0.35', 'P-521'],
])
const OID_EC = '1.2.840.10045.2.1'
const OID_ED25519 = '1.3.101.112'
const OID_RSA = '1.2.840.113549.1.1.1'
const PEM = /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/

export type PublicKey =
  | { readonly kind: 'ec'; readonly curve: keyof typeof CURVES; readonly point: Uint8Array }
  | { readonly kind: 'ed25519'; readonly point: Uint8Array }
  | ({ readonly kind: 'rsa' } & RsaKey)

/** A key in SubjectPublicKeyInfo (RFC 5280). @throws {Error} when malformed, or of a kind that Sigstore does not use */
export function parseSpki(der: Uint8Array): PublicKey {
  const [algorithm, bits] = readSequence(readDer(der))
  const [oid, parameters] = readSequence(algorithm)
  const key = Uint8Array.from(readBits(bits))
  switch (readOid(oid)) {
    case OID_EC:
      return ecKey(parameters, key)
    case OID_ED25519:
      ed25519.Point.fromBytes(key).assertValidity()
      return { kind: 'ed25519', point: key }
    case OID_RSA:
      return parsePkcs1(key)
    default:
      throw new TypeError('unsupported key algorithm')
  }
}

/** An RSA key in the older PKCS #1 form. @throws {Error} when malformed */
export function parsePkcs1(der: Uint8Array): PublicKey {
  const [modulus, exponent] = readSequence(readDer(der))
  return { kind: 'rsa', modulus: readUnsigned(modulus), exponent: readUnsigned(exponent) }
}

/** The bytes between the PEM lines of exactly one `PUBLIC KEY`. @throws {TypeError} */
export function pemToSpki(pem: string): Uint8Array {
  const body = PEM.exec(pem)?.[1]
  if (body === undefined) throw new TypeError('expected one PEM block named PUBLIC KEY')
  return encodingOf('base64').toBytes(body.replaceAll(/\s/g, ''))
}

/**
 * Whether the signature over a computed digest is right.
 * @throws {TypeError} for Ed25519, which signs the message itself
 */
export function verifyOverDigest(key: PublicKey, hash: string, digest: Uint8Array, signature: Uint8Array): boolean {
  switch (key.kind) {
    case 'ec':
      return verifyEcdsaOnce(key, digest, signature)
    case 'rsa':
      return verifyRsa(key, hash, digest, signature)
    case 'ed25519':
      throw new TypeError('an Ed25519 signature cannot be verified by digest')
  }
}

/** Whether the Ed25519 signature over the message is right, by the strict rules of RFC 8032. */
export function verifyEd25519(point: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return ed25519.verify(signature, message, point, { zip215: false })
}

/**
 * Signatures that were found good. Those of authorities and logs over each other are the same in every bundle, and one bundle asks for
 * some of its own again for each witness: of eleven that a bundle of ours asks for, five are new once there was another.
 */
const good = new Set<string>()
const MOST_GOOD = 256

function verifyEcdsaOnce(key: Extract<PublicKey, { kind: 'ec' }>, digest: Uint8Array, signature: Uint8Array): boolean {
  // The whole question and nothing but it: whatever differs in a bit is asked anew.
  const question = `${key.curve} ${key.point.join()} ${digest.join()} ${signature.join()}`
  if (good.has(question)) return true
  const isGood = verifyEcdsa(key, digest, signature)
  if (good.size === MOST_GOOD) good.clear()
  if (isGood) good.add(question)
  return isGood
}

function verifyEcdsa(key: Extract<PublicKey, { kind: 'ec' }>, digest: Uint8Array, signature: Uint8Array): boolean {
  // noble's default refuses the upper half of s, which legitimate signers use.
  return CURVES[key.curve].verify(signature, digest, key.point, { format: 'der', prehash: false, lowS: false })
}

function ecKey(parameters: DerNode | undefined, point: Uint8Array): PublicKey {
  const curve = CURVE_OIDS.get(readOid(parameters))
  if (curve === undefined) throw new TypeError('unsupported curve')
  CURVES[curve].Point.fromBytes(point).assertValidity()
  return { kind: 'ec', curve, point }
}
