/** A signature log as Rekor v2 keeps it, in memory: a Merkle tree of several entries, an Ed25519 checkpoint, no time of its own. */

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** What a log of version 2 is told of a signature; keys in the order in which canonical JSON has them. */
export interface SignedRecord {
  readonly digest: Buffer
  readonly signature: Buffer
  readonly verifier: { readonly keyDetails: string } & Readonly<Record<string, unknown>>
}

export interface TiledLog {
  /** Its place in `trusted_root.json`. */
  readonly trusted: object
  /** Logs it among strangers' entries; gives what a bundle says about it. */
  log(record: SignedRecord): object
}

const ENTRIES_BEFORE = 5
const ENTRIES_AFTER = 3

export function createTiledLog(origin: string): TiledLog {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const rawBytes = publicKey.export({ type: 'spki', format: 'der' })
  // https://c2sp.org/signed-note: the name, a line feed, the type of Ed25519, the key itself.
  const keyId = sha256(Buffer.from(`${origin}\n\u0001`), rawBytes.subarray(-32))
  const logId = { keyId: base64(keyId) }

  function checkpoint(size: number, root: Buffer): string {
    const note = `${origin}\n${size}\n${base64(root)}\n`
    return `${note}\n— ${origin} ${base64(Buffer.concat([keyId.subarray(0, 4), sign(null, Buffer.from(note), privateKey)]))}\n`
  }

  return {
    trusted: {
      baseUrl: `https://${origin}`,
      hashAlgorithm: 'SHA2_256',
      publicKey: { rawBytes: base64(rawBytes), keyDetails: 'PKIX_ED25519', validFor: { start: '2020-01-01T00:00:00Z' } },
      logId,
    },
    log({ digest, signature, verifier }) {
      const spec = {
        hashedRekordV002: {
          data: { algorithm: 'SHA2_256', digest: base64(digest) },
          signature: { content: base64(signature), verifier },
        },
      }
      const body = Buffer.from(JSON.stringify({ apiVersion: '0.0.2', kind: 'hashedrekord', spec }))
      const strangers = (count: number): readonly Buffer[] => Array.from({ length: count }, () => leafHash(randomBytes(64)))
      const leaves = [...strangers(ENTRIES_BEFORE), leafHash(body), ...strangers(ENTRIES_AFTER)]
      const root = rootOf(leaves)
      return {
        logIndex: String(ENTRIES_BEFORE),
        logId,
        kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
        inclusionProof: {
          logIndex: String(ENTRIES_BEFORE),
          rootHash: base64(root),
          treeSize: String(leaves.length),
          hashes: pathTo(ENTRIES_BEFORE, leaves).map(base64),
          checkpoint: { envelope: checkpoint(leaves.length, root) },
        },
        canonicalizedBody: base64(body),
      }
    },
  }
}

/** RFC 6962, section 2.1. */
function rootOf(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves
  if (leaves.length === 1 && only !== undefined) return only
  const [left, right] = halves(leaves)
  return sha256(Buffer.from([1]), rootOf(left), rootOf(right))
}

/** RFC 6962, section 2.1.1. */
function pathTo(index: number, leaves: readonly Buffer[]): readonly Buffer[] {
  if (leaves.length === 1) return []
  const [left, right] = halves(leaves)
  return index < left.length ? [...pathTo(index, left), rootOf(right)] : [...pathTo(index - left.length, right), rootOf(left)]
}

/** The left one has the largest power of two below the whole. */
function halves(leaves: readonly Buffer[]): readonly [readonly Buffer[], readonly Buffer[]] {
  const cut = 2 ** Math.ceil(Math.log2(leaves.length) - 1)
  return [leaves.slice(0, cut), leaves.slice(cut)]
}

function leafHash(body: Buffer): Buffer {
  return sha256(Buffer.from([0]), body)
}

function sha256(...parts: readonly Buffer[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest()
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
