import { X509Certificate } from 'node:crypto'
import { DeliveryError } from '../../core/errors.ts'
import type { AuthorityCertificates, KeyPair, Role } from './state.ts'
import type { FulcioExtension } from './workflow.ts'

export interface CertificateRequest {
  readonly publicKey: Uint8Array
  readonly identity: string
  readonly extensions: readonly FulcioExtension[]
}

/** What the signature log gave back for an entry, in the log's own words. */
export interface LogReceipt {
  readonly bodyBase64: string
  readonly logIdHex: string
  readonly logIndex: number
  readonly integratedTime: number
  readonly signedEntryTimestampBase64: string
  readonly proof: {
    readonly logIndex: number
    readonly treeSize: number
    readonly rootHashHex: string
    readonly checkpoint: string
  }
}

/** The services that a keyless signature needs: certificate authority with its log, signature log, timestamps. */
export interface Witnesses {
  readonly certificates: AuthorityCertificates
  /** DER of a certificate for ten minutes from `at`. */
  issueCertificate(request: CertificateRequest): Promise<Uint8Array>
  log(entry: object): Promise<LogReceipt>
  /** RFC 3161 token, DER. */
  timestamp(sha256: Uint8Array): Promise<Uint8Array>
}

const PACKAGE = '@sigstore/mock'
const SHA256_OID = '2.16.840.1.101.3.4.2.1'
const TIMESTAMP_POLICY_OID = '1.3.6.1.4.1.57264.2'
export const LOG_URL = 'https://rekor.sealift.invalid'

/**
 * Starts the services with the given keys.
 * @param at the time they all work at, and a whole second; the caller moves it on, but never while a request runs
 * @param kept certificates of an earlier start, which go on being the ones in use
 * @throws {DeliveryError} `tool-missing`
 */
export async function startWitnesses(keys: Readonly<Record<Role, KeyPair>>, at: Date, kept?: AuthorityCertificates): Promise<Witnesses> {
  const services = await loadServices()
  const certificateLog = await services.initializeCTLog(keys.certificateLog, at)
  const authority = await services.initializeCA(keys.certificates, certificateLog, at)
  const signatureLog = await services.initializeTLog(LOG_URL, keys.signatureLog, at)
  const timestamps = await services.initializeTSA(keys.timestamps, at)
  const certificates = kept ?? {
    certificateRoot: bytesOf(authority.rootCertificate),
    timestampRoot: bytesOf(timestamps.rootCertificate),
    timestampLeaf: bytesOf(timestamps.intCertificate),
  }
  restoreTimestampLeaf(timestamps, certificates.timestampLeaf)
  return {
    certificates,
    async issueCertificate(request) {
      const der = await authority.issueCertificate({
        publicKey: Buffer.from(request.publicKey),
        subjectAltName: request.identity,
        extensions: [...request.extensions],
      })
      return bytesOf(der)
    },
    async log(entry) {
      const [logged]: readonly unknown[] = Object.values(await signatureLog.log(entry))
      return readReceipt(logged)
    },
    async timestamp(sha256) {
      const request = {
        artifactHash: Buffer.from(sha256),
        hashAlgorithmOID: SHA256_OID,
        nonce: 1,
        policyOID: TIMESTAMP_POLICY_OID,
      }
      return bytesOf(await timestamps.timestamp(request))
    },
  }
}

/** When the earliest of the certificates ends, in Unix seconds. */
export function endOfCertificates(certificates: AuthorityCertificates): number {
  const ends = Object.values(certificates).map((der: Uint8Array) => Date.parse(new X509Certificate(der).validTo))
  return Math.floor(Math.min(...ends) / 1000)
}

/** When the latest of the certificates begins, in Unix seconds. */
export function startOfCertificates(certificates: AuthorityCertificates): number {
  const starts = Object.values(certificates).map((der: Uint8Array) => Date.parse(new X509Certificate(der).validFrom))
  return Math.floor(Math.max(...starts) / 1000)
}

async function loadServices() {
  try {
    // Not the package's entry: that loads an interceptor which replaces `http.request` for the whole process.
    const { initializeCA } = await import('@sigstore/mock/dist/fulcio/ca.js')
    const { initializeCTLog } = await import('@sigstore/mock/dist/fulcio/ctlog.js')
    const { initializeTLog } = await import('@sigstore/mock/dist/rekor/tlog.js')
    const { initializeTSA } = await import('@sigstore/mock/dist/timestamp/tsa.js')
    return { initializeCA, initializeCTLog, initializeTLog, initializeTSA }
  } catch (error) {
    const detail = `the offline authority needs it: npm install --save-dev ${PACKAGE}@0.12.1`
    throw new DeliveryError({ code: 'tool-missing', tool: `${PACKAGE} 0.12.1`, detail }, { cause: error })
  }
}

/**
 * Each start makes a new leaf for the same key, and a token names its leaf by hash (RFC 5816).
 * The leaf of the first start is put back, so that tokens of all starts name the one in the trusted root.
 */
function restoreTimestampLeaf(timestamps: object, leaf: Uint8Array): void {
  const made: unknown = Reflect.get(timestamps, 'intCert')
  const type: unknown = made instanceof Object ? made.constructor : undefined
  const fromBer: unknown = type instanceof Function ? Reflect.get(type, 'fromBER') : undefined
  if (!(fromBer instanceof Function)) throw new TypeError(`expected ${PACKAGE} 0.12.1, got one that is built otherwise`)
  Reflect.set(timestamps, 'intCert', Reflect.apply(fromBer, type, [Uint8Array.from(leaf).buffer]))
}

function readReceipt(logged: unknown): LogReceipt {
  const text = (value: unknown) => (typeof value === 'string' ? value : unexpected(value))
  const number = (value: unknown) => (typeof value === 'number' ? value : unexpected(value))
  const verification = field(logged, 'verification')
  const proof = field(verification, 'inclusionProof')
  return {
    bodyBase64: text(field(logged, 'body')),
    logIdHex: text(field(logged, 'logID')),
    logIndex: number(field(logged, 'logIndex')),
    integratedTime: number(field(logged, 'integratedTime')),
    signedEntryTimestampBase64: text(field(verification, 'signedEntryTimestamp')),
    proof: {
      logIndex: number(field(proof, 'logIndex')),
      treeSize: number(field(proof, 'treeSize')),
      rootHashHex: text(field(proof, 'rootHash')),
      checkpoint: text(field(proof, 'checkpoint')),
    },
  }
}

function field(value: unknown, name: string): unknown {
  return value instanceof Object ? Reflect.get(value, name) : unexpected(value)
}

function unexpected(value: unknown): never {
  throw new TypeError(`expected a log entry as of ${PACKAGE} 0.12.1, got ${typeof value}`)
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice()
}
