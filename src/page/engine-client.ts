import { DeliveryError, failureOf, type Failure } from '../core/errors.ts'
import { BRIDGE_VERSION, type EngineMessage, type PageMessage, type SiteFacts } from '../core/wire/bridge-message.ts'
import type { DeliveryEvent } from '../core/wire/delivery-event.ts'
import { parseEngineMessage } from '../core/wire/parse-engine-message.ts'
import { createEngineThreads, type EngineThreads } from './engine-threads.ts'

/** The page's line to its engine, a dedicated worker. */
export interface EngineClient {
  readonly site: SiteFacts
  readonly ticket: string | undefined
  /** Sends a call and resolves with the message that ends it. Aborting cancels it there too. */
  call(request: CallRequest, options: CallOptions): Promise<EngineMessage>
  send(message: PageMessage, transfer?: readonly ArrayBuffer[]): void
  /** Messages that end no call. Returns what stops it. */
  onMessage(listener: (message: EngineMessage) => void): () => void
  /** Ends the worker; open calls fail with `engine-lost`. */
  close(): void
}

type Numbered = Extract<PageMessage, { readonly call: number }>
type WithoutCall<M> = M extends Numbered ? Omit<M, 'call'> : never
export type CallRequest = WithoutCall<Exclude<Numbered, { type: 'cancel' }>>

export interface CallOptions {
  readonly signal: AbortSignal
  readonly onEvent?: ((event: DeliveryEvent) => void) | undefined
}

export interface EngineStart {
  readonly engineUrl: string
  readonly configUrl: string
}

/** The engine needs the site's configuration before it can answer; its own deadlines are shorter than this. */
const OPEN_MS = 20_000

/** Starts the worker and opens the engine in it. @throws {DeliveryError} `config-unavailable`, `config-invalid`, `policy-missing`, `engine-lost` */
export async function startEngine(start: EngineStart, signal: AbortSignal): Promise<EngineClient> {
  const line = createLine(start.engineUrl)
  const limit = AbortSignal.any([signal, AbortSignal.timeout(OPEN_MS)])
  try {
    const opened = await new Promise<Extract<EngineMessage, { type: 'opened' }>>((resolve, reject) => {
      limit.addEventListener('abort', () => reject(signal.aborted ? signal.reason : lost('the engine did not open in time')), {
        once: true,
      })
      line.onLost = reject
      line.onOpen = (message) => {
        if (message.type === 'opened') resolve(message)
        else reject(new DeliveryError(message.failure))
      }
      line.send({ type: 'open', version: BRIDGE_VERSION, configUrl: start.configUrl })
    })
    return toClient(line, opened)
  } catch (error) {
    end(line)
    throw error
  }
}

interface OpenCall {
  readonly resolve: (message: EngineMessage) => void
  readonly reject: (error: unknown) => void
  readonly onEvent: ((event: DeliveryEvent) => void) | undefined
}

interface Line {
  readonly worker: Worker
  readonly threads: EngineThreads
  readonly calls: Map<number, OpenCall>
  readonly listeners: Set<(message: EngineMessage) => void>
  nextCall: number
  onOpen: (message: Extract<EngineMessage, { type: 'opened' | 'open-failed' }>) => void
  onLost: (error: DeliveryError) => void
  send(message: PageMessage, transfer?: readonly ArrayBuffer[]): void
}

function createLine(engineUrl: string): Line {
  const worker = new Worker(engineUrl)
  const line: Line = {
    worker,
    threads: createEngineThreads((script) => new URL(`chunks/${script}.js`, engineUrl)),
    calls: new Map(),
    listeners: new Set(),
    nextCall: 1,
    onOpen: () => undefined,
    onLost: () => undefined,
    send: (message, transfer = []) => worker.postMessage(message, [...transfer]),
  }
  worker.addEventListener('message', (event) => receive(line, event))
  worker.addEventListener('error', (event) => loseAll(line, event.message || 'the engine script did not load'))
  return line
}

/** Whatever comes, no call is left waiting: one whose answer cannot be read has failed. */
function receive(line: Line, { data, ports }: MessageEvent<unknown>): void {
  try {
    const message = parseEngineMessage(data)
    if (message.type === 'thread') line.threads.take(message, ports[0])
    else dispatch(line, message)
  } catch (error) {
    if (failureOf(error)?.code !== 'format-invalid') throw error
    const call = typeof data === 'object' && data !== null && 'call' in data ? data.call : undefined
    const waiting = typeof call === 'number' ? line.calls.get(call) : undefined
    waiting?.reject(
      new DeliveryError({ code: 'engine-lost', detail: 'the engine sent an answer that this page cannot read' }, { cause: error }),
    )
  }
}

function dispatch(line: Line, message: EngineMessage): void {
  if (message.type === 'opened' || message.type === 'open-failed') return line.onOpen(message)
  if (message.type === 'event') return line.calls.get(message.call)?.onEvent?.(message.event)
  const call = 'call' in message ? line.calls.get(message.call) : undefined
  if (call === undefined) {
    for (const listener of line.listeners) listener(message)
    return
  }
  if (message.type !== 'failed') call.resolve(message)
  else
    call.reject(
      message.failure === 'cancelled' ? new DOMException('The download was cancelled.', 'AbortError') : new DeliveryError(message.failure),
    )
}

function end(line: Line): void {
  line.worker.terminate()
  line.threads.end()
}

function loseAll(line: Line, detail: string): void {
  const error = lost(detail)
  line.onLost(error)
  for (const call of line.calls.values()) call.reject(error)
  line.calls.clear()
}

function lost(detail: string): DeliveryError {
  return new DeliveryError({ code: 'engine-lost', detail })
}

function toClient(line: Line, opened: Extract<EngineMessage, { type: 'opened' }>): EngineClient {
  // Chromium 156 tells it to windows alone when DevTools take the network away, and workers rest for what they do not know is over.
  const onOnline = (): void => line.send({ type: 'online' })
  addEventListener('online', onOnline)
  return {
    site: opened.site,
    ticket: opened.ticket,
    send: (message, transfer) => line.send(message, transfer),
    onMessage(listener) {
      line.listeners.add(listener)
      return () => void line.listeners.delete(listener)
    },
    close() {
      removeEventListener('online', onOnline)
      end(line)
      loseAll(line, 'the page closed it')
    },
    call: (request, options) => startCall(line, request, options),
  }
}

async function startCall(line: Line, request: CallRequest, { signal, onEvent }: CallOptions): Promise<EngineMessage> {
  signal.throwIfAborted()
  const call = line.nextCall++
  let cancel: () => void = () => undefined
  try {
    return await new Promise<EngineMessage>((resolve, reject) => {
      cancel = (): void => {
        line.send({ type: 'cancel', call })
        // The caller's own reason, at once: an engine that is stuck would never answer.
        reject(signal.reason)
      }
      line.calls.set(call, { resolve, reject, onEvent })
      signal.addEventListener('abort', cancel, { once: true })
      line.send({ ...request, call })
    })
  } finally {
    signal.removeEventListener('abort', cancel)
    line.calls.delete(call)
  }
}

/** What an answer of the wrong kind means: page and engine are not of one build. */
export function unexpectedAnswer(message: EngineMessage): DeliveryError {
  const failure: Failure = { code: 'engine-lost', detail: `the engine answered ${message.type}` }
  return new DeliveryError(failure)
}
