import { createSHA256 } from 'hash-wasm'
import { toHex } from '../core/verify/digest.ts'
import type { Hasher, HashStream } from '../core/ports.ts'
import { createScriptStream, digestPiece } from './script-hasher.ts'

/**
 * SHA-256 by WebCrypto for pieces, which it does about fifteen times faster than script.
 * It cannot stream, so whole artifacts go through WebAssembly, and through script where the page's policy forbids that.
 */
export function createHasher(): Hasher {
  return { digest: digestPiece, createStream }
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
