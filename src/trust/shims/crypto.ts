/**
 * Browser stand-in for the part of `node:crypto` that the Sigstore packages use, synchronous, on noble.
 * Nothing else is exported, so that a new use upstream fails the build or throws instead of passing silently.
 */

import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import type { CHash } from '@noble/hashes/utils.js'
import { Buffer } from './buffer.ts'
import { createProven } from './proven.ts'
import { parsePkcs1, parseSpki, pemToSpki, verifyEd25519, verifyOverDigest, type PublicKey } from './public-key.ts'

const HASHES: ReadonlyMap<string, CHash> = new Map<string, CHash>([
  ['sha224', sha224],
  ['sha256', sha256],
  ['sha384', sha384],
  ['sha512', sha512],
])

/** Far more than a trusted root and the bundles of a visit repeat. */
const proven = createProven(128)

type ByteBuffer = ReturnType<typeof Buffer.from>

interface Hash {
  update(data: string | Uint8Array): Hash
  digest(): ByteBuffer
}

interface DerInput {
  readonly key: Uint8Array
  readonly format: 'der'
  readonly type: 'spki' | 'pkcs1'
}

/** A public key, as `createPublicKey` makes it. */
export class KeyObject {
  readonly type = 'public'
  readonly parsed: PublicKey
  readonly #der: Uint8Array | undefined

  /** @param spki the key's SubjectPublicKeyInfo, when it came in that form */
  constructor(parsed: PublicKey, spki: Uint8Array | undefined) {
    this.parsed = parsed
    this.#der = spki
  }

  /** Always SubjectPublicKeyInfo in DER, whatever the options. @throws {TypeError} for a key that came as PKCS #1 */
  export(): ByteBuffer {
    if (this.#der === undefined) throw new TypeError('a PKCS #1 key is not exported')
    return Buffer.from(this.#der)
  }
}

/** @throws {TypeError} for a hash other than SHA-2 */
export function createHash(algorithm: string): Hash {
  const state = hashOf(algorithm).create()
  const hash: Hash = {
    update(data) {
      state.update(typeof data === 'string' ? new TextEncoder().encode(data) : plain(data))
      return hash
    },
    digest: () => Buffer.from(state.digest()),
  }
  return hash
}

/** From PEM text or DER. @throws {Error} when malformed or unsupported */
export function createPublicKey(input: string | DerInput): KeyObject {
  if (typeof input === 'string') return fromSpki(pemToSpki(input))
  return input.type === 'pkcs1' ? new KeyObject(parsePkcs1(plain(input.key)), undefined) : fromSpki(plain(input.key))
}

/** As Node: no algorithm means SHA-256 for EC and RSA keys; Ed25519 takes none. @throws {Error} for a malformed signature */
export function verify(algorithm: string | undefined, data: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  if (key.parsed.kind === 'ed25519') {
    if (algorithm !== undefined) throw new TypeError('Ed25519 takes no digest')
    return verifyEd25519(key.parsed.point, plain(data), plain(signature))
  }
  const name = normalName(algorithm ?? 'sha256')
  const digest = hashOf(name)(plain(data))
  const check = (): boolean => verifyOverDigest(key.parsed, name, digest, plain(signature))
  if (key.parsed.kind !== 'ec') return check()
  const { curve, point } = key.parsed
  return proven.once({ key: point, manner: `${curve}/${name}`, digest, signature }, check)
}

/** @throws {RangeError} when the lengths differ */
export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) throw new RangeError('Input buffers must have the same byte length')
  let difference = 0
  for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] ?? 0x100)
  return difference === 0
}

function fromSpki(der: Uint8Array): KeyObject {
  return new KeyObject(parseSpki(der), der)
}

function normalName(algorithm: string): string {
  return algorithm.toLowerCase().replace(/^(rsa-)?sha-?/, 'sha')
}

function hashOf(algorithm: string): CHash {
  const hash = HASHES.get(normalName(algorithm))
  if (hash === undefined) throw new TypeError(`unsupported hash ${algorithm}`)
  return hash
}

/** noble wants exactly `Uint8Array`, not a subclass. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
