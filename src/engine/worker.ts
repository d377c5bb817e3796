/** The dedicated worker's script: one engine for the page that started it. */

import { servePage } from './serve-page.ts'
import { startThread } from './thread-line.ts'
import type { TrustRefresher } from './trust-growth.ts'

declare const self: DedicatedWorkerGlobalScope

// They lie beside this script, and are of the same build.
const loadTrustRefresher = (): Promise<TrustRefresher> => import(/* @vite-ignore */ new URL('./trust-refresh.js', self.location.href).href)
const HASHER_URL = new URL(/* @vite-ignore */ './chunks/hasher.js', self.location.href)
const FILES_URL = new URL(/* @vite-ignore */ './chunks/files.js', self.location.href)

const isSecurePage = self.location.protocol === 'https:'
const server = servePage((message, transfer = []) => self.postMessage(message, [...transfer]), {
  isSecurePage,
  loadTrustRefresher,
  startHashThread: () => startThread(HASHER_URL),
  startFileThread: () => startThread(FILES_URL),
})
self.addEventListener('message', (event) => server.receive(event.data))
