import { sha256 } from '@noble/hashes/sha2.js'
import { createSHA256 } from 'hash-wasm'
import { toHex } from '../core/verify/digest.ts'
import type { Sha256 } from '../core/model/ids.ts'
import type { Hasher, HashStream } from '../core/ports.ts'

/**
 * SHA-256 by WebCrypto for pieces, which it does about fifteen times faster than script.
 * It cannot stream, so whole artifacts go through WebAssembly, and through script where the page's policy forbids that.
 */
export function createHasher(): Hasher {
  return { digest, createStream }
}

async function digest(bytes: Uint8Array): Promise<Sha256> {
  const own = bytes.buffer instanceof ArrayBuffer ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : bytes.slice()
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', own)))
}

async function createStream(): Promise<HashStream> {
  try {
    return await createWasmStream()
  } catch {
    // Refused without `wasm-unsafe-eval`, or not there at all: both say so only when it is tried.
    return createScriptStream()
  }
}

async function createWasmStream(): Promise<HashStream> {
  const hash = await createSHA256()
  return {
    update: (bytes) => {
      hash.update(bytes)
    },
    digest: () => toHex(hash.digest('binary')),
  }
}

/** The stream without WebAssembly. */
export function createScriptStream(): HashStream {
  const hash = sha256.create()
  return {
    update: (bytes) => {
      hash.update(bytes)
    },
    digest: () => toHex(hash.digest()),
  }
}
