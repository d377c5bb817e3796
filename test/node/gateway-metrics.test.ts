import { expect, test } from 'vitest'
import { countGatewayLog } from '../../src/node/gateway-metrics.ts'
import { never } from './publish-fixture.ts'

const BLOB = `/by-hash/sha256/${'a'.repeat(64)}`
const LINE = { time: '2026-01-01T00:00:00+00:00', ms: 1_800_000_000.5, uri: BLOB, status: 200, bytes: 1000, cache: 'HIT', seconds: 0.1 }

const count = async (...lines: readonly (object | string)[]): Promise<readonly string[]> => {
  const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('')
  // In chunks that end anywhere.
  const chunks = Array.from({ length: Math.ceil(text.length / 7) }, (_, i) => Buffer.from(text.slice(i * 7, i * 7 + 7)))
  return (await countGatewayLog(streamOf(chunks), never)).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

async function* streamOf(chunks: readonly Buffer[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

test('requests are counted by what they ask for, and where the answer came from', async () => {
  expect(
    await count(
      LINE,
      { ...LINE, seconds: 0.2 },
      { ...LINE, cache: 'BYPASS', status: 206 },
      { ...LINE, cache: '', status: 206 },
      { ...LINE, cache: '', status: 304, bytes: 0 },
      { ...LINE, uri: '/catalogue.json', cache: 'STALE', ms: 1_800_000_001 },
      { ...LINE, uri: '/trust/3.json', cache: '', status: 502 },
    ),
  ).toEqual([
    'sealift_gateway_requests_total{path="blob",status="2xx"} 4',
    'sealift_gateway_requests_total{path="blob",status="3xx"} 1',
    'sealift_gateway_requests_total{path="catalogue",status="2xx"} 1',
    'sealift_gateway_requests_total{path="trust",status="5xx"} 1',
    'sealift_gateway_cache_total{path="blob",cache="BYPASS"} 1',
    'sealift_gateway_cache_total{path="blob",cache="HIT"} 2',
    'sealift_gateway_cache_total{path="blob",cache="PINNED"} 1',
    'sealift_gateway_cache_total{path="catalogue",cache="STALE"} 1',
    'sealift_gateway_sent_bytes_total{path="blob"} 4000',
    'sealift_gateway_sent_bytes_total{path="catalogue"} 1000',
    'sealift_gateway_sent_bytes_total{path="trust"} 1000',
    'sealift_gateway_request_seconds_total{path="blob"} 0.6',
    'sealift_gateway_request_seconds_total{path="catalogue"} 0.1',
    'sealift_gateway_request_seconds_total{path="trust"} 0.1',
    'sealift_gateway_log_lines_unread_total 0',
    'sealift_gateway_last_request_timestamp_seconds 1800000001',
  ])
})

test('paths that clients make up are one series, and lines that are none of ours are counted and left out', async () => {
  const made = Array.from({ length: 50 }, (_, i) => ({ ...LINE, uri: `/${i}"} 1\n# x`, status: 404, cache: `made-up-${i}` }))
  const lines = await count(
    ...made,
    'no JSON',
    '[]',
    'null',
    '"text"',
    '{}',
    { ...LINE, status: '200' },
    { ...LINE, bytes: -1 },
    'x'.repeat(70_000),
  )
  expect(lines).toEqual([
    'sealift_gateway_requests_total{path="other",status="4xx"} 50',
    'sealift_gateway_sent_bytes_total{path="other"} 50000',
    'sealift_gateway_request_seconds_total{path="other"} 5',
    'sealift_gateway_log_lines_unread_total 8',
    'sealift_gateway_last_request_timestamp_seconds 1800000000.5',
  ])
})
