/** The script of the hashing thread, `chunks/hasher.js`: the engine starts it from beside itself, and can do without. */

import { serveHashing } from './hash-server.ts'
import { createWasmStream } from './wasm-hasher.ts'

declare const self: DedicatedWorkerGlobalScope

serveHashing(
  {
    post: (message, transfer) => self.postMessage(message, transfer),
    onMessage: (listener) => self.addEventListener('message', ({ data }) => listener(data)),
  },
  createWasmStream,
)
