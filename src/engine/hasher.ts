import type { Clock, Hasher, HashStream } from '../core/ports.ts'
import { createScriptStream, digestPiece } from './script-hasher.ts'

/** What is used of `chunks/hasher.js`. */
export interface WasmHasher {
  createWasmStream(): Promise<HashStream>
}

/** So long a stream waits for WebAssembly, counted from the start of the engine: in an outage its file may never come. */
const WASM_WAITS_MS = 1000

/**
 * SHA-256 by WebCrypto for pieces, which it does about fifteen times faster than script.
 * It cannot stream, so whole artifacts go through WebAssembly, and through script where that is not to be had.
 */
export function createHasher(load: () => Promise<WasmHasher>, clock: Clock): Hasher {
  const loading = load()
  const patience = Promise.race([loading, clock.sleep(WASM_WAITS_MS, new AbortController().signal)]).catch(() => undefined)
  return {
    digest: digestPiece,
    async createStream() {
      try {
        // What came late is used from then on.
        const wasm = (await patience) ?? (await Promise.race([loading, Promise.resolve(undefined)]))
        if (wasm !== undefined) return await wasm.createWasmStream()
      } catch {
        // Not to be had, or refused without `wasm-unsafe-eval`: both say so only when it is tried.
      }
      return createScriptStream()
    },
  }
}
