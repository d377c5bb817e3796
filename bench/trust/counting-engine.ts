/** The engine's worker, which also tells the page of each bundle that Sigstore's verifier is asked about. */

import { Verifier } from '@sigstore/verify'
import { servePage } from '../../src/engine/serve-page.ts'
import { startThread } from '../../src/engine/thread-line.ts'

const channel = new BroadcastChannel('bundles')
const { verify } = Verifier.prototype
Verifier.prototype.verify = function (this: Verifier, ...given: Parameters<typeof verify>) {
  channel.postMessage('checked')
  return verify.apply(this, given)
}

const server = servePage((message, transfer = []) => self.postMessage(message, { transfer: [...transfer] }), {
  isSecurePage: false,
  startHashThread: () => startThread('/chunks/hasher.js'),
  startFileThread: () => startThread('/chunks/files.js'),
})
self.addEventListener('message', (event: MessageEvent<unknown>) => server.receive(event.data))
