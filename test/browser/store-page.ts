import { parseEngineMessage } from '../../src/core/wire/parse-engine-message.ts'
import { createEngineThreads } from '../../src/page/engine-threads.ts'
import type { LabAnswers, LabRequest } from './store-lab.ts'

declare global {
  interface Window {
    /** Pieces that the worker said it had kept. */
    kept: number[]
    /** Asks a dedicated worker. */
    askWorker: (request: LabRequest, script?: string) => Promise<unknown>
    /** Asks the service worker of this page. */
    askServiceWorker: (request: LabRequest) => Promise<unknown>
    /** SHA-256 in hex of what the service worker finds; undefined when it finds nothing. */
    digestFromServiceWorker: (sha256: string) => Promise<string | undefined>
  }
}

window.kept = []

window.askWorker = (request, script = '/worker.js') => {
  const worker = new Worker(script)
  // Under the policy that the worker's own script was served with.
  const threads = createEngineThreads((name) => script.replace('worker', name))
  worker.addEventListener('message', ({ data, ports }) => {
    const message = parseEngineMessage(data)
    if (message.type === 'thread') threads.take(message, ports[0])
  })
  return new Promise((resolve, reject) => {
    worker.addEventListener('error', (event) => reject(new Error(event.message)))
    ask((port) => worker.postMessage(request, [port])).then(resolve, reject)
  }).finally(() => {
    worker.terminate()
    threads.end()
  })
}

window.askServiceWorker = async (request) => {
  await navigator.serviceWorker.register('/worker.js')
  const { active } = await navigator.serviceWorker.ready
  return await ask((port) => active?.postMessage(request, [port]))
}

window.digestFromServiceWorker = async (sha256) => {
  const blob = await window.askServiceWorker({ kind: 'find', sha256 })
  if (!(blob instanceof Blob)) return undefined
  const digest = await crypto.subtle.digest('SHA-256', await new Response(blob).arrayBuffer())
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

function ask(send: (port: MessagePort) => void): Promise<LabAnswers[LabRequest['kind']]> {
  const channel = new MessageChannel()
  return new Promise((resolve, reject) => {
    channel.port1.addEventListener('message', ({ data }) => {
      if (typeof data === 'number') window.kept.push(data)
      else if ('error' in data) reject(new Error(data.error))
      else resolve(data.answer)
    })
    channel.port1.start()
    send(channel.port2)
  })
}
