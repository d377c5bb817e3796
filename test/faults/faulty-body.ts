import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { drained } from '../../demo/stack/send-blob.ts'
import type { Bandwidth } from './bandwidth.ts'
import type { FaultName } from './fault-mode.ts'
import { gzipBombAfter } from './gzip-bomb.ts'

/** Half-open, in bytes of the file. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** One blob that can be read in part. */
export interface BlobContent {
  readonly sizeBytes: number
  read(span: Span, chunkBytes: number): AsyncIterable<Uint8Array>
}

export type BodyFault = Exclude<
  FaultName,
  | 'refused'
  | 'black-hole'
  | 'hang'
  | 'reset'
  | 'garbage'
  | 'huge-header'
  | 'html'
  | 'missing'
  | 'redirect-loop'
  | 'no-content'
  | `status-${string}`
  | 'range-416'
>

/** What becomes of one body of an artifact. */
export interface BodyPlan {
  readonly content: BlobContent
  /** Undefined: the whole was asked for. */
  readonly asked: Span | undefined
  readonly fault: BodyFault | 'none'
  readonly headers: Readonly<Record<string, string>>
  readonly bandwidth: Bandwidth
  /** Aborts when the client went away. */
  readonly signal: AbortSignal
  /** Called before bytes leave. Says how many of them still may: if not all, the connection is dead or silent after those. */
  readonly maySend: (bytes: number) => number
  /** Called when those last ones have left. */
  readonly onSpent: () => void
  /** The moment at which the client is not served as it should be. */
  readonly onFault: () => void
}

const OVERSIZE_BYTES = 64 * 1024

/** Sends one body, whole or faulty, over the plan's bandwidth. */
export async function sendBody(response: ServerResponse, plan: BodyPlan): Promise<void> {
  const { content, asked, fault } = plan
  const whole = { start: 0, end: content.sizeBytes }
  const span = fault === 'range-ignored' ? whole : (asked ?? whole)
  const isPart = asked !== undefined && fault !== 'range-ignored'
  const shift = fault === 'range-wrong' && isPart && span.end < content.sizeBytes ? 1 : 0
  const sent = { start: span.start + shift, end: span.end + shift }
  const headers = {
    ...plan.headers,
    ...(isPart ? { 'content-range': `bytes ${sent.start}-${sent.end - 1}/${content.sizeBytes}` } : {}),
  }
  const status = isPart ? 206 : 200
  if (ALTERED.has(fault)) return sendAltered(response, { ...plan, headers, status, sent })
  const length = sent.end - sent.start
  const half = length >> 1
  switch (fault) {
    case 'cut-chunked':
    case 'early-end-chunked':
      response.writeHead(status, headers)
      break
    case 'cut-without-length':
      response.shouldKeepAlive = false
      response.useChunkedEncodingByDefault = false
      response.writeHead(status, { ...headers, connection: 'close' })
      break
    default:
      response.writeHead(status, { ...headers, 'content-length': String(length) })
  }
  response.flushHeaders()
  if (fault === 'headers-then-silence') return plan.onFault()
  const limit = HALVED.has(fault) ? half : length
  if (fault !== 'none' && limit === length) plan.onFault()
  if (!(await pour(response, plan, { start: sent.start, end: sent.start + limit }))) return
  if (limit < length) plan.onFault()
  if (fault === 'stall-at-half') return
  if (fault === 'cut-with-length' || fault === 'cut-chunked') await cut(response)
  else response.end()
}

const HALVED: ReadonlySet<string> = new Set(['stall-at-half', 'cut-with-length', 'cut-chunked', 'cut-without-length', 'early-end-chunked'])
const ALTERED: ReadonlySet<string> = new Set(['corrupt-byte', 'gzip-applied', 'gzip-lied', 'gzip-bomb', 'endless', 'oversize', 'empty'])

interface Altered extends BodyPlan {
  readonly status: number
  readonly sent: Span
}

/** Bodies whose bytes are not those of the file. They are held in memory: a part of an artifact is never large. */
async function sendAltered(response: ServerResponse, plan: Altered): Promise<void> {
  const { fault, headers, status } = plan
  plan.onFault()
  const part = await collect(plan.content.read(plan.sent, plan.bandwidth.chunkBytes))
  const send = async (body: Uint8Array, more: Readonly<Record<string, string>> = {}): Promise<void> => {
    response.writeHead(status, { ...headers, 'content-length': String(body.length), ...more })
    if (await pourBytes(response, plan, body)) response.end()
  }
  switch (fault) {
    case 'corrupt-byte':
      return send(corrupt(part))
    case 'gzip-applied':
      return send(gzipSync(part), { 'content-encoding': 'gzip' })
    case 'gzip-lied':
      return send(part, { 'content-encoding': 'gzip' })
    case 'gzip-bomb':
      return send(gzipBombAfter(part), { 'content-encoding': 'gzip' })
    case 'oversize':
      return send(Buffer.concat([part, Buffer.alloc(OVERSIZE_BYTES)]))
    case 'empty':
      return send(new Uint8Array())
    default:
      response.writeHead(status, headers)
      // The same again and again, until the connection ends.
      while (part.length > 0 && (await pourBytes(response, plan, part)));
  }
}

/** @returns false when the client or the server went away on the way */
async function pour(response: ServerResponse, plan: BodyPlan, span: Span): Promise<boolean> {
  if (span.start >= span.end) return true
  const close = plan.bandwidth.open()
  try {
    for await (const chunk of plan.content.read(span, plan.bandwidth.chunkBytes)) {
      if (!(await sendChunk(response, plan, chunk))) return false
    }
    return true
  } finally {
    close()
  }
}

async function pourBytes(response: ServerResponse, plan: BodyPlan, body: Uint8Array): Promise<boolean> {
  const { chunkBytes } = plan.bandwidth
  const close = plan.bandwidth.open()
  try {
    for (let at = 0; at < body.length; at += chunkBytes) {
      if (!(await sendChunk(response, plan, body.subarray(at, at + chunkBytes)))) return false
    }
    return true
  } finally {
    close()
  }
}

async function sendChunk(response: ServerResponse, plan: BodyPlan, chunk: Uint8Array): Promise<boolean> {
  await plan.bandwidth.pass(chunk.length, plan.signal)
  if (response.destroyed) return false
  const allowed = plan.maySend(chunk.length)
  if (allowed < chunk.length) {
    await new Promise<void>((resolve) => response.write(chunk.subarray(0, allowed), () => resolve()))
    plan.onSpent()
    return false
  }
  if (!response.write(chunk)) await drained(response)
  return !response.destroyed
}

/** Ends the connection once everything that was written has left. */
async function cut(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => response.write('', () => resolve()))
  response.destroy()
}

function corrupt(part: Uint8Array): Uint8Array {
  const altered = Uint8Array.from(part)
  const at = altered.length >> 1
  altered[at] = (altered[at] ?? 0) ^ 1
  return altered
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts)
}
