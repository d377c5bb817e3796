import { renderMetrics, type MetricFamily } from './prometheus.ts'
import { readLines } from './read-lines.ts'

/** An address may be 8 KiB long, and each of its bytes six characters in JSON. */
const LINE_BYTES = 64 * 1024

/** What was asked for, told from its path alone: names that a client makes up must not become series. */
type Kind = 'blob' | 'catalogue' | 'trust' | 'other'

const KINDS: readonly (readonly [Kind, RegExp])[] = [
  ['blob', /^\/by-hash\/sha256\/[0-9a-f]{64}$/],
  ['catalogue', /^\/catalogue\.json$/],
  ['trust', /^\/trust\/\d{1,9}\.json$/],
]

const CACHE_STATUSES: ReadonlySet<string> = new Set(['HIT', 'MISS', 'STALE', 'BYPASS', 'EXPIRED', 'UPDATING', 'REVALIDATED'])

interface LogLine {
  readonly kind: Kind
  readonly status: number
  readonly cache: string
  readonly sentBytes: number
  readonly seconds: number
  readonly atSeconds: number
}

/**
 * Counts the requests in the access log of the shipped nginx configuration.
 * @returns Prometheus text format 0.0.4. Counts begin anew where the log does, as Prometheus expects of a restart
 * @throws `signal.reason`; what reading throws
 * @example
 * import { createReadStream } from 'node:fs'
 *
 * console.log(await countGatewayLog(createReadStream('/var/log/sealift/access.log'), AbortSignal.timeout(60_000)))
 */
export async function countGatewayLog(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<string> {
  const requests = new Sums()
  const cached = new Sums()
  const sentBytes = new Sums()
  const seconds = new Sums()
  let unread = 0
  let lastSeconds = 0
  for await (const { bytes } of readLines(chunks, LINE_BYTES, signal)) {
    const line = bytes && parseLine(bytes)
    if (line === undefined) {
      unread++
      continue
    }
    const { kind } = line
    requests.add({ path: kind, status: `${Math.floor(line.status / 100)}xx` }, 1)
    if (line.cache !== '') cached.add({ path: kind, cache: line.cache }, 1)
    sentBytes.add({ path: kind }, line.sentBytes)
    seconds.add({ path: kind }, line.seconds)
    lastSeconds = Math.max(lastSeconds, line.atSeconds)
  }
  return renderMetrics([
    counter('requests_total', 'Requests.', requests),
    counter('cache_total', 'Where answers came from: PINNED is what the operator put there.', cached),
    counter('sent_bytes_total', 'Bytes of answers, without their headers.', sentBytes),
    counter('request_seconds_total', 'How long the requests took together.', seconds),
    { name: `${PREFIX}log_lines_unread_total`, help: 'Lines that are none of ours.', type: 'counter', samples: [{ value: unread }] },
    {
      name: `${PREFIX}last_request_timestamp_seconds`,
      help: 'When the last answer ended.',
      type: 'gauge',
      samples: [{ value: lastSeconds }],
    },
  ])
}

const PREFIX = 'sealift_gateway_'

function counter(name: string, help: string, sums: Sums): MetricFamily {
  return { name: PREFIX + name, help, type: 'counter', samples: sums.samples() }
}

class Sums {
  readonly #sums = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: number }>()

  add(labels: Readonly<Record<string, string>>, value: number): void {
    const key = Object.values(labels).join(' ')
    const sum = this.#sums.get(key) ?? { labels, value: 0 }
    sum.value += value
    this.#sums.set(key, sum)
  }

  samples(): MetricFamily['samples'] {
    return [...this.#sums.entries()]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { labels, value }]) => ({ labels, value: rounded(value) }))
  }
}

/** Sums of milliseconds, without what adding in binary leaves behind. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}

function parseLine(bytes: Uint8Array): LogLine | undefined {
  const line = parseObject(bytes)
  const { uri, status, cache, bytes: sentBytes, seconds, ms } = line ?? {}
  if (typeof uri !== 'string' || !isCount(status) || typeof cache !== 'string' || !isCount(sentBytes) || !isCount(seconds) || !isCount(ms))
    return undefined
  const kind = KINDS.find(([, path]) => path.test(uri))?.[0] ?? 'other'
  return { kind, status, cache: cacheOf(kind, status, cache), sentBytes, seconds, atSeconds: ms }
}

function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined // counted by whoever asked
  }
}

/** What nginx gave from a file of the operator's never met the cache. */
function cacheOf(kind: Kind, status: number, cache: string): string {
  if (CACHE_STATUSES.has(cache)) return cache
  return kind !== 'other' && (status === 200 || status === 206) ? 'PINNED' : ''
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
