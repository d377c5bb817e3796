import { failureOf } from '../core/errors.ts'
import { parseToPageMessage } from '../core/wire/parse-worker-message.ts'
import type { NeedAnswer } from '../core/wire/worker-message.ts'
import type { ArtifactRequest } from '../core/wire/delivery-event.ts'
import type { Delivered } from './download.ts'
import type { WorkerLine } from './worker-registration.ts'

/** Keeps the worker awake while its request waits here: Firefox ends an idle one after 30 s. */
const PING_MS = 10_000

/** Fetches what the service worker was asked for, and gives it the very file that was verified. Returns what stops it. */
export function serveNeeds(worker: WorkerLine, deliver: (request: ArtifactRequest) => Promise<Delivered>): () => void {
  if (!('serviceWorker' in navigator)) return () => undefined
  const listen = (event: MessageEvent): void => {
    const message = parseToPageMessage(event.data)
    const [port] = event.ports
    if (message === undefined || port === undefined) return
    void serveOne({ worker, port, request: message.request }, deliver)
  }
  navigator.serviceWorker.addEventListener('message', listen)
  navigator.serviceWorker.startMessages()
  return () => navigator.serviceWorker.removeEventListener('message', listen)
}

interface Need {
  readonly worker: WorkerLine
  readonly port: MessagePort
  readonly request: ArtifactRequest
}

async function serveOne({ worker, port, request }: Need, deliver: (request: ArtifactRequest) => Promise<Delivered>): Promise<void> {
  const answer = (message: NeedAnswer): void => port.postMessage(message)
  answer({ type: 'accepted' })
  const ping = setInterval(() => worker.tell('ping'), PING_MS)
  try {
    const { artifact, file } = await deliver(request)
    answer({ type: 'ready', sha256: artifact.sha256, blob: file, filename: artifact.filename, mediaType: artifact.mediaType })
  } catch (error) {
    const failure = failureOf(error) ?? { code: 'engine-lost', detail: error instanceof Error ? error.message : String(error) }
    answer({ type: 'failed', failure })
  } finally {
    clearInterval(ping)
  }
}
