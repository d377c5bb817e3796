import { DeliveryError, type Failure } from '../core/errors.ts'
import type { Sha256 } from '../core/model/ids.ts'
import { parseNeedAnswer } from '../core/wire/parse-worker-message.ts'
import type { ArtifactRequest } from '../core/wire/delivery-event.ts'
import type { VerifiedFile } from '../engine/standalone.ts'
import { WORKER_VERSION, type NeedAnswer, type ToPageMessage } from '../core/wire/worker-message.ts'
import type { WorkerScope } from './scope.ts'

/** A page that is there says so within this, or the next one is asked. A frozen tab never does. */
const ACCEPT_MS = 2000
/** The first one asked was the likeliest to be awake; many frozen tabs must not add up. */
const NEXT_ACCEPT_MS = 500
const MOST_WINDOWS = 5
/** Longest that a request waits. Chromium ends an event after 300 s (measured). */
const READY_MS = 240_000
const RETRY_AFTER_SECONDS = 5
/** A tab that is closed or crashes tells nobody; the list of windows forgets it in less than a second (measured). */
const ALIVE_MS = 500

export type PageAnswer =
  | { readonly kind: 'ready'; readonly file: VerifiedFile & { readonly sha256: Sha256 } }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'nobody' }

/**
 * Has a page fetch and verify the artifact: the one that asks, else any other window of this origin. It goes on when the request is given up:
 * neither Chromium nor Firefox tells a worker of that (measured, 156 and 153).
 */
export async function askPage(scope: WorkerScope, request: ArtifactRequest, preferred: string): Promise<PageAnswer> {
  const windows = await scope.clients.matchAll({ type: 'window' })
  const inOrder = [...windows].sort((a, b) => rank(a, preferred) - rank(b, preferred))
  for (const [at, client] of inOrder.slice(0, MOST_WINDOWS).entries()) {
    const answer = await askOne(scope, { client, acceptMs: at === 0 ? ACCEPT_MS : NEXT_ACCEPT_MS }, request)
    if (answer.kind !== 'nobody') return answer
  }
  return { kind: 'nobody' }
}

function rank(client: WindowClient, preferred: string): number {
  if (client.id === preferred) return 0
  return client.visibilityState === 'visible' ? 1 : 2
}

async function askOne(
  scope: WorkerScope,
  { client, acceptMs }: { readonly client: WindowClient; readonly acceptMs: number },
  request: ArtifactRequest,
): Promise<PageAnswer> {
  const channel = new MessageChannel()
  const message: ToPageMessage = { sealift: WORKER_VERSION, type: 'need', request }
  let watch: ReturnType<typeof setInterval> | undefined
  try {
    return await new Promise<PageAnswer>((resolve) => {
      let timer = setTimeout(() => resolve({ kind: 'nobody' }), acceptMs)
      const end = (answer: PageAnswer): void => {
        clearTimeout(timer)
        resolve(answer)
      }
      watch = setInterval(() => {
        void scope.clients.get(client.id).then((found) => {
          if (found === undefined) end({ kind: 'nobody' })
        })
      }, ALIVE_MS)
      channel.port1.addEventListener('message', (event) => {
        const answer = parseNeedAnswer(event.data)
        switch (answer?.type) {
          case 'accepted':
            clearTimeout(timer)
            timer = setTimeout(
              () => resolve({ kind: 'failed', failure: { code: 'still-fetching', retryAfterSeconds: RETRY_AFTER_SECONDS } }),
              READY_MS,
            )
            return
          case 'ready':
            end(readyAnswer(answer))
            return
          case 'failed':
            end({ kind: 'failed', failure: answer.failure })
            return
          case undefined:
        }
      })
      channel.port1.start()
      client.postMessage(message, [channel.port2])
    })
  } finally {
    clearInterval(watch)
    channel.port1.close()
  }
}

function readyAnswer({ sha256, blob, filename, mediaType }: Extract<NeedAnswer, { type: 'ready' }>): PageAnswer {
  if (!(blob instanceof Blob)) return { kind: 'nobody' }
  return { kind: 'ready', file: { sha256, blob, filename, mediaType, sizeBytes: blob.size } }
}

/** What an unexpected throw in the worker is told as. */
export function toDeliveryError(error: unknown): DeliveryError {
  if (error instanceof DeliveryError) return error
  return new DeliveryError(
    { code: 'engine-lost', detail: error instanceof Error ? `${error.name}: ${error.message}` : String(error) },
    { cause: error },
  )
}
