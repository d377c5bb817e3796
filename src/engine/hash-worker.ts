/** The script of the hashing thread, `chunks/hasher.js`: the engine starts it from beside itself, and can do without. */

import { serveHashing } from './hash-server.ts'
import { ownPort } from './thread-line.ts'
import { createWasmStream } from './wasm-hasher.ts'

declare const self: DedicatedWorkerGlobalScope

serveHashing(ownPort(self), createWasmStream)
