/** A Sigstore deployment in memory for tests, which also signs what no honest one would. Keys live as long as the object. */

import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { initializeCA } from '@sigstore/mock/dist/fulcio/ca.js'
import { initializeCTLog } from '@sigstore/mock/dist/fulcio/ctlog.js'
import { initializeTLog } from '@sigstore/mock/dist/rekor/tlog.js'
import { initializeTSA } from '@sigstore/mock/dist/timestamp/tsa.js'
import { reissue } from './reissue.ts'
import { createTiledLog, type SignedRecord } from './tiled-log.ts'

export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export interface SignOptions {
  readonly identity?: string
  readonly issuer?: string
  /** In the older of the two places for an issuer, when it says something else there. */
  readonly rawIssuer?: string
  /** A managed key instead of a certificate. */
  readonly key?: KeyPair
  /** `log`: an entry with a signed time. `both` (the default): a timestamp too. `timestamp`: that alone. `none`: neither. */
  readonly witness?: 'both' | 'log' | 'timestamp' | 'none'
  /** Fulcio's extensions by their number, beside issuer, source repository and ref, or in their place. */
  readonly extensions?: Readonly<Record<number, string>>
  /** Changes the certificate after it was issued, keeping its length; the authority signs the changed one. */
  readonly editCertificate?: (tbs: Buffer) => Buffer
  readonly payloadType?: string
  /** What the log was told to have been signed, when that was something else. */
  readonly loggedDigest?: Buffer
  /** The kind of entry in which the log keeps it; of a file `hashedrekord` by default. */
  readonly loggedAs?: 'dsse'
  /** Which version of the log keeps it: 1 by default. One of version 2 signs no time, so a timestamp is needed. */
  readonly rekor?: 2 | 'both'
  /** What the key really signs, when that is something else than every other part of the bundle says. */
  readonly signsOther?: Uint8Array
}

export interface BundleJson {
  mediaType: string
  verificationMaterial: Record<string, unknown>
  messageSignature?: Record<string, unknown>
  dsseEnvelope?: Record<string, unknown>
}

export interface OfflineSigstore {
  readonly trustedRoot: Readonly<Record<string, unknown>>
  /** When the log saw it; the timestamp is a minute later. Whole seconds: upstream reads fractions of three digits only. */
  readonly signedAtSeconds: number
  /** As `cosign sign-blob`. */
  signBlob(bytes: Uint8Array, options?: SignOptions): Promise<BundleJson>
  /** As `cosign attest-blob`. */
  attest(statement: unknown, options?: SignOptions): Promise<BundleJson>
}

export const IDENTITY = 'https://github.com/acme/agent/.github/workflows/release.yml@refs/tags/v1.2.3'
export const ISSUER = 'https://token.actions.githubusercontent.com'
export const REPOSITORY = 'https://github.com/acme/agent'
export const REF = 'refs/tags/v1.2.3'

export const TIMESTAMP_DELAY_SECONDS = 60

const FULCIO = '1.3.6.1.4.1.57264.1'
const SHA256_OID = '2.16.840.1.101.3.4.2.1'

/**
 * @param options.sct false: certificates carry no proof of a certificate log, so that they may be changed
 * @param options.authorityCurve of the certificate authority's key
 * @param options.timestampDelaySeconds after the certificate was issued, which is valid for ten minutes
 */
export async function createOfflineSigstore({
  sct = true,
  authorityCurve = 'P-256',
  timestampDelaySeconds = TIMESTAMP_DELAY_SECONDS,
} = {}): Promise<OfflineSigstore> {
  const keys = { ct: newKey(), ca: newKey(authorityCurve), log: newKey(), tsa: newKey() }
  // The roots are valid from the moment that they are made, so nothing can be signed before.
  const signedAtSeconds = Math.ceil(Date.now() / 1000) + 2
  const now = new Date(signedAtSeconds * 1000)
  const ctlog = await initializeCTLog(keys.ct, now)
  const ca = await initializeCA(keys.ca, sct ? ctlog : undefined, now)
  const tlog = await initializeTLog('https://rekor.test', keys.log, now)
  const tsa = await initializeTSA(keys.tsa, new Date((signedAtSeconds + timestampDelaySeconds) * 1000))
  const tiledLog = createTiledLog('log2.rekor.test')
  const trustedRoot = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [logOf('https://rekor.test', keys.log), tiledLog.trusted],
    ctlogs: [logOf('https://ctfe.test', keys.ct)],
    certificateAuthorities: [authorityOf(ca.rootCertificate)],
    timestampAuthorities: [authorityOf(tsa.intCertificate, tsa.rootCertificate)],
  }

  async function certify(options: SignOptions): Promise<Signatory> {
    if (options.key !== undefined) {
      const spki = options.key.publicKey.export({ type: 'spki', format: 'der' })
      return {
        key: options.key.privateKey,
        verifier: Buffer.from(publicPem(options.key)),
        material: { publicKey: { hint: base64(sha256(spki)) } },
        recorded: { keyDetails: keyDetailsOf(options.key), publicKey: { rawBytes: base64(spki) } },
      }
    }
    const { identity = IDENTITY, issuer = ISSUER, rawIssuer = issuer } = options
    const pair = newKey()
    const extensions = { 8: issuer, 12: REPOSITORY, 14: REF, ...options.extensions }
    const issued = await ca.issueCertificate({
      publicKey: Buffer.from(pair.publicKey.export({ type: 'spki', format: 'der' })),
      subjectAltName: identity,
      extensions: [
        { oid: `${FULCIO}.1`, value: rawIssuer, legacy: true },
        ...Object.entries(extensions).map(([number, value]) => ({ oid: `${FULCIO}.${number}`, value })),
      ],
    })
    const made = bufferOf(issued)
    const der = options.editCertificate === undefined ? made : reissue(made, options.editCertificate, keys.ca.privateKey)
    const pem = `-----BEGIN CERTIFICATE-----\n${base64(der)}\n-----END CERTIFICATE-----\n`
    const certificate = { rawBytes: base64(der) }
    const recorded = { keyDetails: keyDetailsOf(pair), x509Certificate: certificate }
    return { key: pair.privateKey, verifier: Buffer.from(pem), material: { certificate }, recorded }
  }

  async function logEntry(entry: Entry): Promise<object> {
    const [logged]: readonly unknown[] = Object.values(await tlog.log(entry))
    if (!isLogged(logged)) throw new TypeError('the log gave no proof')
    const proof = logged.verification.inclusionProof
    return {
      logIndex: String(logged.logIndex),
      logId: { keyId: base64(Buffer.from(logged.logID, 'hex')) },
      kindVersion: { kind: entry.kind, version: entry.apiVersion },
      integratedTime: String(logged.integratedTime),
      inclusionPromise: { signedEntryTimestamp: logged.verification.signedEntryTimestamp },
      inclusionProof: {
        logIndex: String(proof.logIndex),
        rootHash: base64(Buffer.from(proof.rootHash, 'hex')),
        treeSize: String(proof.treeSize),
        hashes: [],
        checkpoint: { envelope: proof.checkpoint },
      },
      canonicalizedBody: logged.body,
    }
  }

  async function timestampOf(signature: Buffer): Promise<object> {
    const artifactHash = sha256(signature)
    const token = await tsa.timestamp({ artifactHash, hashAlgorithmOID: SHA256_OID, nonce: 1, policyOID: `${FULCIO}.2` })
    return { timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: base64(bufferOf(token)) }] } }
  }

  async function witness(entry: Entry, record: SignedRecord, options: SignOptions): Promise<object> {
    if (options.witness === 'none') return {}
    if (options.witness === 'timestamp') return timestampOf(record.signature)
    const older = options.rekor === 2 ? [] : [await logEntry(entry)]
    const tlogEntries = options.rekor === undefined ? older : [...older, tiledLog.log(record)]
    if (options.witness === 'log') return { tlogEntries }
    return { tlogEntries, ...(await timestampOf(record.signature)) }
  }

  return {
    trustedRoot,
    signedAtSeconds,
    async signBlob(bytes, options = {}) {
      const { key, verifier, material, recorded } = await certify(options)
      const signature = sign('sha256', options.signsOther ?? bytes, key)
      const digest = sha256(bytes)
      const logged = (options.loggedDigest ?? digest).toString('hex')
      const entry = options.loggedAs === 'dsse' ? dsseEntry(logged, signature, verifier) : recordEntry(logged, signature, verifier)
      const witnesses = await witness(entry, { digest, signature, verifier: recorded }, options)
      return {
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
        verificationMaterial: { ...material, ...witnesses },
        messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest: base64(digest) }, signature: base64(signature) },
      }
    },
    async attest(statement, options = {}) {
      const { key, verifier, material, recorded } = await certify(options)
      const { payloadType = 'application/vnd.in-toto+json' } = options
      const payload = Buffer.from(typeof statement === 'string' ? statement : JSON.stringify(statement))
      const encoded = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `), payload])
      const signature = sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', options.signsOther ?? encoded, key)
      const entry = dsseEntry(sha256(payload).toString('hex'), signature, verifier)
      const witnesses = await witness(entry, { digest: sha256(encoded), signature, verifier: recorded }, options)
      return {
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
        verificationMaterial: { ...material, ...witnesses },
        dsseEnvelope: { payload: base64(payload), payloadType, signatures: [{ sig: base64(signature), keyid: '' }] },
      }
    },
  }
}

export function newKey(namedCurve = 'P-256'): KeyPair {
  return generateKeyPairSync('ec', { namedCurve })
}

export function newRsaKey(modulusLength = 2048): KeyPair {
  return generateKeyPairSync('rsa', { modulusLength })
}

export function newEd25519Key(): KeyPair {
  return generateKeyPairSync('ed25519')
}

export function publicPem(pair: KeyPair): string {
  return pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

/** An in-toto statement with SLSA 1 provenance about `bytes`. */
export function provenanceAbout(bytes: Uint8Array): Record<string, unknown> {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'agent', digest: { sha256: sha256(bytes).toString('hex') } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'https://actions.github.io/buildtypes/workflow/v1',
        externalParameters: { workflow: { ref: REF, repository: REPOSITORY } },
      },
      runDetails: { builder: { id: IDENTITY } },
    },
  }
}

/** Who signs, and how each place names the key. */
interface Signatory {
  readonly key: KeyObject
  readonly verifier: Buffer
  readonly material: Record<string, unknown>
  readonly recorded: SignedRecord['verifier']
}

function keyDetailsOf({ publicKey }: KeyPair): string {
  if (publicKey.asymmetricKeyType === 'ed25519') return 'PKIX_ED25519'
  if (publicKey.asymmetricKeyType === 'rsa') return 'PKIX_RSA_PKCS1V15_2048_SHA256'
  return publicKey.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'PKIX_ECDSA_P384_SHA_256' : 'PKIX_ECDSA_P256_SHA_256'
}

interface Entry {
  readonly kind: string
  readonly apiVersion: string
  readonly spec: unknown
}

function recordEntry(sha256: string, signature: Buffer, verifier: Buffer): Entry {
  const spec = {
    data: { hash: { algorithm: 'sha256', value: sha256 } },
    signature: { content: base64(signature), publicKey: { content: base64(verifier) } },
  }
  return { kind: 'hashedrekord', apiVersion: '0.0.1', spec }
}

function dsseEntry(sha256: string, signature: Buffer, verifier: Buffer): Entry {
  const spec = {
    payloadHash: { algorithm: 'sha256', value: sha256 },
    signatures: [{ signature: base64(signature), verifier: base64(verifier) }],
  }
  return { kind: 'dsse', apiVersion: '0.0.1', spec }
}

/** What the log gives back for an entry. */
interface Logged {
  readonly body: string
  readonly logID: string
  readonly logIndex: number
  readonly integratedTime: number
  readonly verification: {
    readonly signedEntryTimestamp: string
    readonly inclusionProof: {
      readonly logIndex: number
      readonly rootHash: string
      readonly treeSize: number
      readonly checkpoint: string
    }
  }
}

function isLogged(value: unknown): value is Logged {
  return typeof value === 'object' && value !== null && 'body' in value && 'verification' in value
}

function logOf(baseUrl: string, pair: KeyPair): object {
  const rawBytes = pair.publicKey.export({ type: 'spki', format: 'der' })
  const publicKey = { rawBytes: base64(rawBytes), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor: { start: '2020-01-01T00:00:00Z' } }
  return { baseUrl, hashAlgorithm: 'SHA2_256', publicKey, logId: { keyId: base64(sha256(rawBytes)) } }
}

function authorityOf(...certificates: readonly ArrayBufferView<ArrayBuffer>[]): object {
  return {
    uri: 'https://authority.test',
    subject: { organization: 'test', commonName: 'test' },
    validFor: { start: '2020-01-01T00:00:00Z' },
    certChain: { certificates: certificates.map((der) => ({ rawBytes: base64(bufferOf(der)) })) },
  }
}

function bufferOf(view: ArrayBufferView<ArrayBuffer>): Buffer<ArrayBuffer> {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength)
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
