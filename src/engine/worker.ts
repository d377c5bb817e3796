/** The dedicated worker's script: one engine for the page that started it. */

import { servePage } from './serve-page.ts'
import type { WasmHasher } from './hasher.ts'
import type { TrustRefresher } from './trust-growth.ts'

declare const self: DedicatedWorkerGlobalScope

// They lie beside this script, and are of the same build.
const loadTrustRefresher = (): Promise<TrustRefresher> => import(/* @vite-ignore */ new URL('./trust-refresh.js', self.location.href).href)
const loadWasmHasher = (): Promise<WasmHasher> => import(/* @vite-ignore */ new URL('./chunks/hasher.js', self.location.href).href)

const isSecurePage = self.location.protocol === 'https:'
const server = servePage((message, transfer = []) => self.postMessage(message, [...transfer]), {
  isSecurePage,
  loadTrustRefresher,
  loadWasmHasher,
})
self.addEventListener('message', (event) => server.receive(event.data))
