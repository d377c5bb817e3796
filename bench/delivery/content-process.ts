/** Sources of artifacts that lie nowhere: their bytes are made while they are sent. In a process of their own. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { UNLIMITED, createBandwidth, type Bandwidth } from '../../test/faults/bandwidth.ts'
import { serveCalls } from './child.ts'
import { createContent, type ContentSpec, type ReadContent } from './content.ts'

export interface ContentOptions {
  readonly sources: number
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly artifacts: readonly (ContentSpec & { readonly sha256: string })[]
}

interface Place {
  readonly sizeBytes: number
  readonly read: ReadContent
}

const RANGE = /^bytes=(\d+)-(\d+)$/
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Accept-Ranges, Content-Range, Content-Length, ETag, Retry-After',
  'cross-origin-resource-policy': 'cross-origin',
}
/** Where nothing holds it back a source sends more at once: whoever measures shares the machine with it. */
const FREE_CHUNK_BYTES = 256 * 1024

const places = new Map<string, Place>()
let bandwidths: Bandwidth[] = []

serveCalls({
  async start({ sources, files, artifacts }: ContentOptions): Promise<readonly string[]> {
    for (const [path, bytes] of files)
      places.set(path, { sizeBytes: bytes.length, read: (start, end) => Buffer.from(bytes.subarray(start, end)) })
    for (const spec of artifacts) places.set(`/by-hash/sha256/${spec.sha256}`, { sizeBytes: spec.sizeBytes, read: createContent(spec) })
    bandwidths = Array.from({ length: sources }, () => UNLIMITED)
    return await Promise.all(bandwidths.map((_, source) => listen(source)))
  },
  /** Bytes per second of each source; undefined: as fast as it goes. */
  shape(rates: readonly (number | undefined)[]): void {
    bandwidths = bandwidths.map((_, at) => {
      const rate = rates[at]
      return rate === undefined ? { ...UNLIMITED, chunkBytes: FREE_CHUNK_BYTES } : createBandwidth(rate)
    })
  },
})

async function listen(source: number): Promise<string> {
  const server = createServer((request, response) => {
    // The client went away: nothing more can be sent.
    answer(source, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}/`
}

async function answer(source: number, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const place = places.get(request.url ?? '')
  const bandwidth = bandwidths[source]
  if (place === undefined || bandwidth === undefined) {
    response.writeHead(404, CORS).end()
    return
  }
  const range = RANGE.exec(request.headers.range ?? '')
  const [start, end] = range === null ? [0, place.sizeBytes] : [Number(range[1]), Number(range[2]) + 1]
  response.writeHead(range === null ? 200 : 206, {
    ...CORS,
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    'content-length': String(end - start),
    ...(range === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${place.sizeBytes}` }),
  })
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const close = bandwidth.open()
  try {
    for (let at = start; at < end; at += bandwidth.chunkBytes) {
      const chunk = place.read(at, Math.min(at + bandwidth.chunkBytes, end))
      await bandwidth.pass(chunk.length, gone.signal)
      if (gone.signal.aborted) return
      if (!response.write(chunk)) await drained(response, gone.signal)
    }
    response.end()
  } finally {
    close()
  }
}

/** Also resolves when the client is gone. */
function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      gone.removeEventListener('abort', done)
      resolve()
    }
    response.on('drain', done)
    gone.addEventListener('abort', done)
  })
}
