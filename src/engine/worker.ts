/** The dedicated worker's script: one engine for the page that started it. */

import { servePage } from './serve-page.ts'

declare const self: DedicatedWorkerGlobalScope

const server = servePage((message, transfer = []) => self.postMessage(message, [...transfer]), self.location.protocol === 'https:')
self.addEventListener('message', (event) => server.receive(event.data))
