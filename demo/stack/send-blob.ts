import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** Half-open, in bytes. */
export interface SentRange {
  readonly start: number
  readonly end: number
}

/** How the bytes of one answer leave. */
export interface Sending {
  readonly headers: Readonly<Record<string, string>>
  /** Changes the bytes, for a server that lies. `at` is the offset in the file. */
  readonly alter: ((chunk: Buffer, at: number) => Buffer) | undefined
  /** Called before a chunk leaves; may wait, and throws when `gone` is aborted meanwhile. False: the server went away. */
  readonly beforeChunk: (bytes: number, gone: AbortSignal) => Promise<boolean>
  /** Called once the range is known. */
  readonly onRange: (range: SentRange, status: number) => void
}

const CHUNK_BYTES = 64 * 1024
const RANGE = /^bytes=(\d+)-(\d*)$/

/** Answers with a file, or with one range of it. Anything that goes wrong on the way cuts the connection. */
export async function sendFile(path: string, request: IncomingMessage, response: ServerResponse, sending: Sending): Promise<void> {
  const size = await sizeOf(path)
  if (size === undefined) {
    response.writeHead(404, { ...sending.headers, 'cache-control': 'no-store' }).end()
    return
  }
  const range = rangeOf(request, size)
  if (range === undefined) {
    response.writeHead(416, { ...sending.headers, 'content-range': `bytes */${size}` }).end()
    return
  }
  const isPart = request.headers.range !== undefined
  const length = range.end - range.start
  sending.onRange(range, isPart ? 206 : 200)
  response.writeHead(isPart ? 206 : 200, {
    ...sending.headers,
    'content-length': String(length),
    ...(isPart ? { 'content-range': `bytes ${range.start}-${range.end - 1}/${size}` } : {}),
  })
  if (request.method === 'HEAD' || length === 0) response.end()
  else await sendRange(path, range, response, sending)
}

async function sendRange(path: string, range: SentRange, response: ServerResponse, sending: Sending): Promise<void> {
  const file = createReadStream(path, { start: range.start, end: range.end - 1, highWaterMark: CHUNK_BYTES })
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  let at = range.start
  try {
    for await (const chunk of file) {
      const bytes: Buffer = chunk
      if (response.destroyed || !(await sending.beforeChunk(bytes.length, gone.signal))) {
        response.destroy()
        return
      }
      const sent = sending.alter === undefined ? bytes : sending.alter(bytes, at)
      at += bytes.length
      if (!response.write(sent)) await drained(response)
    }
    response.end()
  } finally {
    file.destroy()
  }
}

/** Also resolves when the connection is gone: the next look at `destroyed` sees it. */
export function drained(response: ServerResponse): Promise<void> {
  // It says so once only, and that may have been before anybody listened.
  if (response.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}

function rangeOf(request: IncomingMessage, size: number): SentRange | undefined {
  const header = request.headers.range
  if (header === undefined) return { start: 0, end: size }
  const match = RANGE.exec(header)
  if (match === null) return undefined
  const start = Number(match[1])
  const end = match[2] === '' ? size : Math.min(Number(match[2]) + 1, size)
  return start < end ? { start, end } : undefined
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path)
    return found.isFile() ? found.size : undefined
  } catch {
    return undefined // absent, or not readable: to a client both are 404
  }
}

/** Waits until so many bytes may leave. @throws {Error} `AbortError` when `gone` is aborted meanwhile */
export type Pace = (bytes: number, gone: AbortSignal) => Promise<void>

/** Lets so many bytes pass in a second, over everybody who asks it. */
export function createPace(bytesPerSecond: number): Pace {
  let freeAtMs = 0
  return async (bytes, gone) => {
    const now = performance.now()
    freeAtMs = Math.max(freeAtMs, now) + (bytes / bytesPerSecond) * 1000
    // Below a few milliseconds a timer is coarser than the pace.
    if (freeAtMs - now > 5) await sleep(freeAtMs - now, undefined, { signal: gone })
  }
}
