/** The dedicated worker's script: one engine for the page that started it. */

import { servePage, type SendToPage } from './serve-page.ts'
import { createThreadStarter } from './thread-line.ts'
import type { TrustRefresher } from './trust-growth.ts'

declare const self: DedicatedWorkerGlobalScope

// They lie beside this script, and are of the same build.
const loadTrustRefresher = (): Promise<TrustRefresher> => import(/* @vite-ignore */ new URL('./trust-refresh.js', self.location.href).href)
const send: SendToPage = (message, transfer = []) => self.postMessage(message, [...transfer])
const startThread = createThreadStarter(send)

const isSecurePage = self.location.protocol === 'https:'
const server = servePage(send, {
  isSecurePage,
  loadTrustRefresher,
  startHashThread: () => startThread('hasher'),
  startFileThread: () => startThread('files'),
})
self.addEventListener('message', (event) => server.receive(event.data))
