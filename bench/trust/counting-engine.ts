/** The engine's worker, which also tells the page of each bundle that Sigstore's verifier is asked about. */

import { Verifier } from '@sigstore/verify'
import { servePage, type SendToPage } from '../../src/engine/serve-page.ts'
import { createThreadStarter } from '../../src/engine/thread-line.ts'

const channel = new BroadcastChannel('bundles')
const { verify } = Verifier.prototype
Verifier.prototype.verify = function (this: Verifier, ...given: Parameters<typeof verify>) {
  channel.postMessage('checked')
  return verify.apply(this, given)
}

const send: SendToPage = (message, transfer = []) => self.postMessage(message, { transfer: [...transfer] })
const startThread = createThreadStarter(send)
const server = servePage(send, {
  isSecurePage: false,
  startHashThread: () => startThread('hasher'),
  startFileThread: () => startThread('files'),
})
self.addEventListener('message', (event: MessageEvent<unknown>) => server.receive(event.data))
