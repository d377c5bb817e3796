/** The dedicated worker's script: one engine for the page that started it. */

import { servePage } from './serve-page.ts'
import type { TrustRefresher } from './trust-growth.ts'

declare const self: DedicatedWorkerGlobalScope

/** It lies beside this script, and is of the same build. */
const loadTrustRefresher = (): Promise<TrustRefresher> => import(/* @vite-ignore */ new URL('./trust-refresh.js', self.location.href).href)

const server = servePage(
  (message, transfer = []) => self.postMessage(message, [...transfer]),
  self.location.protocol === 'https:',
  loadTrustRefresher,
)
self.addEventListener('message', (event) => server.receive(event.data))
