import type { Clock } from '../core/ports.ts'
import { createDeadline, type Deadline } from './deadline.ts'
import type { GatewayLog } from './gateway-log.ts'
import { readBody, untilAborted } from './read-body.ts'

/** What an origin answered: the first one that had anything usable. */
export type OriginAnswer =
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly contentRange: string | undefined }
  /** The range starts where the file, of this size, has already ended. */
  | { readonly kind: 'past-end'; readonly sizeBytes: number }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreachable' }

export interface OriginRequest {
  /** Relative to the base of each origin, without a leading slash. */
  readonly path: string
  /** Half-open byte range; undefined asks for all. */
  readonly range: { readonly start: number; readonly end: number } | undefined
  /** A longer answer counts as none. */
  readonly maxBytes: number
}

/** The origins of a gateway, and which of them are failing. */
export interface OriginPool {
  /**
   * Asks the origins in order and takes the first whole answer. A page of text/html is never one. An origin that failed is left alone for
   * 10 s, unless it is the only one.
   * @returns `missing` when at least one answered that it has no such file and none had it
   * @throws `signal.reason` unchanged
   */
  fetch(request: OriginRequest, signal: AbortSignal): Promise<OriginAnswer>
}

/** Until the head of an answer, and between any two parts of its body; as nginx waits. */
const GAP_MS = 3_000
/** The slowest uplink that is waited for brings 1 MiB in this time. */
const WHOLE_MS = 300_000
/** How long an origin that failed is left alone; as long as nginx does. */
const REST_MS = 10_000

export function createOriginPool(origins: readonly URL[], tools: { readonly clock: Clock; readonly log: GatewayLog }): OriginPool {
  const { clock, log } = tools
  const restsUntilMs = new Map<URL, number>()
  const isResting = (origin: URL): boolean => origins.length > 1 && clock.monotonicMs() < (restsUntilMs.get(origin) ?? 0)

  const ask = async (origin: URL, request: OriginRequest, signal: AbortSignal): Promise<OriginAnswer> => {
    try {
      const answer = await fetchFromOne(new URL(request.path, origin), { request, clock }, signal)
      if (answer.kind !== 'failing') return answer
      log('origin-failed', { origin: origin.href, detail: answer.detail })
    } catch (error) {
      signal.throwIfAborted()
      log('origin-failed', { origin: origin.href, detail: detailOf(error) })
    }
    restsUntilMs.set(origin, clock.monotonicMs() + REST_MS)
    return { kind: 'unreachable' }
  }

  return {
    async fetch(request, signal) {
      const answers: OriginAnswer[] = []
      for (const origin of origins.filter((one) => !isResting(one))) {
        const answer = await ask(origin, request, signal)
        if (answer.kind === 'bytes') return answer
        answers.push(answer)
      }
      const known = answers.find(({ kind }) => kind === 'past-end') ?? answers.find(({ kind }) => kind === 'missing')
      return known ?? { kind: 'unreachable' }
    },
  }
}

/** It did answer, and is as good as dead. */
interface Failing {
  readonly kind: 'failing'
  readonly detail: string
}

interface Asking {
  readonly request: OriginRequest
  readonly clock: Clock
}

async function fetchFromOne(url: URL, { request, clock }: Asking, signal: AbortSignal): Promise<OriginAnswer | Failing> {
  const { range } = request
  const whole = createDeadline(clock, WHOLE_MS, signal)
  const gap = createDeadline(clock, GAP_MS, whole.signal)
  try {
    const headers = { 'accept-encoding': 'identity', ...(range === undefined ? {} : { range: `bytes=${range.start}-${range.end - 1}` }) }
    const response = await untilAborted(fetch(url, { headers, signal: gap.signal, redirect: 'error' }), gap.signal)
    if (isUsable(response, request)) {
      const bytes = await readBounded(response, { maxBytes: request.maxBytes, gap })
      if (bytes !== undefined) return { kind: 'bytes', bytes, contentRange: response.headers.get('content-range') ?? undefined }
    }
    if (!response.bodyUsed) await response.body?.cancel()
    return answerWithoutBytes(response, request)
  } finally {
    gap.release()
    whole.release()
  }
}

function isUsable(response: Response, request: OriginRequest): boolean {
  return !isPage(response) && response.status === (request.range === undefined ? 200 : 206)
}

function answerWithoutBytes(response: Response, { range }: OriginRequest): OriginAnswer | Failing {
  const { status } = response
  if (status >= 500 || status === 429) return { kind: 'failing', detail: `answered ${status}` }
  const sizeBytes = range === undefined || isPage(response) ? undefined : sizeWhenPastEnd(response, range.start)
  if (sizeBytes !== undefined) return { kind: 'past-end', sizeBytes }
  return { kind: [403, 404, 416].includes(status) ? 'missing' : 'unreachable' }
}

function sizeWhenPastEnd({ status, headers }: Response, start: number): number | undefined {
  // Of a file without bytes no range can be named, so some servers answer with all of it.
  if (status === 200 && start === 0 && headers.get('content-length') === '0') return 0
  const size = /^bytes \*\/(\d{1,15})$/.exec(headers.get('content-range') ?? '')?.[1]
  return status === 416 && size !== undefined && Number(size) <= start ? Number(size) : undefined
}

function isPage(response: Response): boolean {
  return response.headers.get('content-type')?.toLowerCase().startsWith('text/html') === true
}

async function readBounded(response: Response, limits: { readonly maxBytes: number; readonly gap: Deadline }): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of readBody(response, limits.gap.signal)) {
    limits.gap.renew()
    sizeBytes += chunk.length
    if (sizeBytes > limits.maxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Fetch itself says no more than that it failed; why stands in the cause. */
function detailOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : {}
  return String(cause instanceof Error ? cause.message : error)
}
