import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { gzipBombAfter } from '../faults/gzip-bomb.ts'
import { seededBytes } from './seeded-random.ts'

const FAULTS = [
  'other-bytes',
  'flipped-bit',
  'no-body',
  'one-byte-less',
  'one-byte-more',
  'html-as-bytes',
  'gzip',
  'gzip-range',
  'bomb',
  'endless',
  'trickle',
] as const

/** Bodies that no honest server sends, or none that understood the request. */
export type HostileBody = (typeof FAULTS)[number]

export function isHostileBody(fault: string): fault is HostileBody {
  const known: readonly string[] = FAULTS
  return known.includes(fault)
}

interface Hostile {
  readonly response: ServerResponse
  readonly fault: HostileBody
  /** The whole blob. */
  readonly bytes: Uint8Array
  /** Half-open; undefined where no range was asked for. */
  readonly range: { readonly start: number; readonly end: number } | undefined
  readonly headers: Readonly<Record<string, string>>
}

export function sendHostileBody({ response, fault, bytes, range, headers }: Hostile): void {
  const part = range === undefined ? bytes : bytes.subarray(range.start, range.end)
  const all: Record<string, string> = { ...headers, 'content-type': 'application/octet-stream' }
  if (range !== undefined) all['content-range'] = `bytes ${range.start}-${range.end - 1}/${bytes.length}`
  const send = (body: Uint8Array, more: Readonly<Record<string, string>> = {}): void => {
    response.writeHead(range === undefined ? 200 : 206, { ...all, 'content-length': String(body.length), ...more }).end(body)
  }
  switch (fault) {
    case 'other-bytes':
      return send(seededBytes(99, part.length))
    case 'flipped-bit':
      return send(Buffer.from(part).fill((part[part.length >> 1] ?? 0) ^ 1, part.length >> 1, (part.length >> 1) + 1))
    case 'no-body':
      return send(new Uint8Array())
    case 'one-byte-less':
      return send(part.subarray(0, -1))
    case 'one-byte-more':
      return send(Buffer.concat([part, Buffer.from([0])]))
    case 'html-as-bytes':
      return send(Buffer.from('<!doctype html><title>Please sign in</title>'))
    case 'gzip':
      // As a proxy does that compresses whatever passes, and forgets what a range is of.
      return send(gzipSync(part), { 'content-encoding': 'gzip' })
    case 'gzip-range':
      return sendPartOfGzip({ response, bytes, range, all })
    case 'bomb':
      return send(gzipBombAfter(part), { 'content-encoding': 'gzip' })
    case 'endless':
      response.writeHead(range === undefined ? 200 : 206, all)
      return pump(response, part)
    case 'trickle':
      response.writeHead(range === undefined ? 200 : 206, all)
      return trickle(response, part)
  }
}

/** A range of the compressed form, which is no form that anybody asked for. */
function sendPartOfGzip({
  response,
  bytes,
  range,
  all,
}: Pick<Hostile, 'response' | 'bytes' | 'range'> & { all: Record<string, string> }): void {
  const whole = gzipSync(bytes)
  const { start, end } = range ?? { start: 0, end: whole.length }
  const part = whole.subarray(start, end)
  if (range !== undefined) all['content-range'] = `bytes ${start}-${start + part.length - 1}/${whole.length}`
  response
    .writeHead(range === undefined ? 200 : 206, { ...all, 'content-encoding': 'gzip', 'content-length': String(part.length) })
    .end(part)
}

/** The same again and again, as fast as it is taken, until the connection ends. */
function pump(response: ServerResponse, part: Uint8Array): void {
  const chunk = part.length === 0 ? Buffer.alloc(65_536) : part
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  }
  response.on('drain', more)
  more()
}

/** 10 kB in a second. */
function trickle(response: ServerResponse, part: Uint8Array): void {
  let at = 0
  const timer = setInterval(() => {
    if (response.destroyed || at >= part.length) {
      clearInterval(timer)
      response.end()
      return
    }
    response.write(part.subarray(at, at + 1000))
    at += 1000
  }, 100)
}
