import { once } from 'node:events'
import { WebSocket, type ClientOptions } from 'ws'
import { encodeClientSignal, parseServerSignal, type ClientSignal, type ServerSignal } from 'sealift/protocol'

/** What a client is told, in order, and how its connection ends. */
export interface TestClient {
  readonly socket: WebSocket
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
  send(signal: ClientSignal): void
  sendText(text: string): void
  /** The next message of this type; those of other types that came before it are skipped. */
  next<T extends ServerSignal['type']>(type: T): Promise<Extract<ServerSignal, { type: T }>>
  /** The next message, whatever it is. */
  take(): Promise<ServerSignal>
  /** Everything received so far and not yet taken by `next`. */
  pending(): readonly ServerSignal[]
  close(): Promise<void>
}

export const ORIGIN = 'https://portal.example'

export async function connect(url: string, options: ClientOptions = {}): Promise<TestClient> {
  const socket = new WebSocket(url, { origin: ORIGIN, perMessageDeflate: false, ...options })
  const received: ServerSignal[] = []
  let wake: () => void = () => {}
  socket.on('message', (data) => {
    if (!Buffer.isBuffer(data)) throw new TypeError('expected one buffer')
    received.push(parseServerSignal(data.toString('utf8')))
    wake()
  })
  let isClosed = false
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      isClosed = true
      resolve({ code, reason: reason.toString() })
      wake()
    })
  })
  await once(socket, 'open')
  socket.on('error', () => {})
  const take = async (what: string): Promise<ServerSignal> => {
    for (;;) {
      const signal = received.shift()
      if (signal !== undefined) return signal
      if (isClosed) throw new Error(`closed while waiting for ${what}`)
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  return {
    socket,
    closed,
    send: (signal) => socket.send(encodeClientSignal(signal)),
    sendText: (text) => socket.send(text),
    take: () => take('a message'),
    async next(type) {
      for (;;) {
        const signal = await take(type)
        if (isOf(signal, type)) return signal
      }
    },
    pending: () => received,
    async close() {
      socket.close()
      await closed
    },
  }
}

/** The status that an upgrade is refused with. */
export function refusedStatus(url: string, options: ClientOptions = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { origin: ORIGIN, ...options })
    socket.on('error', () => {})
    socket.on('open', () => reject(new Error('expected a refusal')))
    socket.on('unexpected-response', (request, response) => {
      request.destroy()
      resolve(response.statusCode ?? 0)
    })
  })
}

function isOf<T extends ServerSignal['type']>(signal: ServerSignal, type: T): signal is Extract<ServerSignal, { type: T }> {
  return signal.type === type
}
