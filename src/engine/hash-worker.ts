/** The script of the hashing thread, `chunks/hasher.js`: the engine starts it from beside itself, and can do without. */

import type { HashThreadEnd } from './hash-message.ts'
import { serveHashing } from './hash-server.ts'
import { onPort } from './thread-line.ts'
import { createWasmStream } from './wasm-hasher.ts'

declare const self: DedicatedWorkerGlobalScope

onPort(self, (port: HashThreadEnd) => serveHashing(port, createWasmStream))
