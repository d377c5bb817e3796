/** What an origin answered: the first one that had anything usable. */
export type OriginAnswer =
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly contentRange: string | undefined }
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

/** Of one origin, from asking to the last byte; then the next origin is asked. */
const ORIGIN_TIMEOUT_MS = 3_000

/**
 * Asks the origins in order and takes the first whole answer. A page of text/html is never one.
 * @returns `missing` when at least one answered that it has no such file and none had it
 * @throws `signal.reason` unchanged
 */
export async function fetchFromOrigins(origins: readonly URL[], request: OriginRequest, signal: AbortSignal): Promise<OriginAnswer> {
  let isMissing = false
  for (const origin of origins) {
    const answer = await fetchFromOne(new URL(request.path, origin), request, signal)
    if (answer.kind === 'bytes') return answer
    isMissing ||= answer.kind === 'missing'
  }
  return { kind: isMissing ? 'missing' : 'unreachable' }
}

async function fetchFromOne(url: URL, request: OriginRequest, signal: AbortSignal): Promise<OriginAnswer> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(ORIGIN_TIMEOUT_MS)])
  try {
    const headers = {
      'accept-encoding': 'identity',
      ...(request.range === undefined ? {} : { range: `bytes=${request.range.start}-${request.range.end - 1}` }),
    }
    const response = await fetch(url, { headers, signal: limited, redirect: 'error' })
    if (isUsable(response, request)) {
      const bytes = await readBounded(response, request.maxBytes)
      if (bytes !== undefined) return { kind: 'bytes', bytes, contentRange: response.headers.get('content-range') ?? undefined }
    }
    await response.body?.cancel()
    return { kind: [403, 404, 416].includes(response.status) ? 'missing' : 'unreachable' }
  } catch {
    signal.throwIfAborted()
    return { kind: 'unreachable' } // refused, reset, cut or too slow: the next origin is asked in any case
  }
}

function isUsable(response: Response, request: OriginRequest): boolean {
  if (response.headers.get('content-type')?.toLowerCase().startsWith('text/html') === true) return false
  return response.status === (request.range === undefined ? 200 : 206)
}

async function readBounded(response: Response, maxBytes: number): Promise<Buffer | undefined> {
  if (response.body === null) return undefined
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of response.body) {
    sizeBytes += chunk.length
    if (sizeBytes > maxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
