import { createSHA256 } from 'hash-wasm'
import { toHex } from '../core/verify/digest.ts'
import type { HashStream } from './hash-stream.ts'

/** SHA-256 in WebAssembly. @throws {Error} where the page's policy lacks `wasm-unsafe-eval`, or there is no WebAssembly */
export async function createWasmStream(): Promise<HashStream> {
  const hash = await createSHA256()
  return {
    update: (bytes) => {
      hash.update(bytes)
    },
    digest: () => toHex(hash.digest('binary')),
  }
}
