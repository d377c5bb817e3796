import { readFileSync } from 'node:fs'
import {
  catalogueSwarmOf,
  encodeClientSignal,
  encodeServerSignal,
  ERROR_CODES,
  mintTicket,
  openSwarmKey,
  parseClientSignal,
  parseServerSignal,
  parseTicket,
  peerProof,
  swarmIdOf,
  toBase64Url,
  toSha256,
} from 'sealift/protocol'
import { expect, test } from 'vitest'

const text = readFileSync(new URL('../../docs/signaling-protocol.md', import.meta.url), 'utf8')
const swarmKey = Uint8Array.from({ length: 32 }, (_, i) => 255 - i)
const secret = Uint8Array.from({ length: 32 }, (_, i) => i)

/** The lines of all blocks fenced with this name. */
function linesOf(name: string): readonly string[] {
  return [...text.matchAll(/^```(.+)\n([^]*?)\n```$/gm)].flatMap(([, fence, body = '']) => (fence === name ? body.split('\n') : []))
}

test('every message of a client in the document is read and written back letter by letter, and every type is shown', () => {
  const lines = linesOf('json client')
  for (const line of lines) expect(encodeClientSignal(parseClientSignal(line))).toBe(line)
  expect(new Set(lines.map((line) => parseClientSignal(line).type))).toEqual(new Set(['hello', 'join', 'leave', 'sig', 'report', 'bye']))
})

test('every message of a server in the document is read and written back letter by letter, and every type is shown', () => {
  const lines = linesOf('json server')
  for (const line of lines) expect(encodeServerSignal(parseServerSignal(line))).toBe(line)
  const types = ['welcome', 'peers', 'peer-left', 'sig', 'error', 'drain']
  expect(new Set(lines.map((line) => parseServerSignal(line).type))).toEqual(new Set(types))
})

test('every error is explained', () => {
  expect([...text.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code)).toEqual([...ERROR_CODES])
})

test('the ticket, the rooms and the proofs in the document come out of the same keys', () => {
  const [ticket = ''] = linesOf('ticket')
  const claims = { site: 'https://portal.example', role: 'leech', swarmKey, lifetimeSeconds: 2_592_000, jti: 'ticket-000001' } as const
  expect(mintTicket(claims, { kid: '2026-a', secret }, 1_790_000_000)).toBe(ticket)
  expect(parseTicket(ticket).swarmKey).toEqual(swarmKey)
  const swarms = [
    swarmIdOf(swarmKey, toSha256('ab'.repeat(32))),
    catalogueSwarmOf(swarmKey, 'example'),
    toBase64Url(openSwarmKey('example')),
  ]
  expect(linesOf('swarm')).toEqual(swarms)
  const bytes = (value: number, length: number) => new Uint8Array(length).fill(value)
  const seen = { nonceA: bytes(1, 16), nonceB: bytes(2, 16), fingerprintA: bytes(3, 32), fingerprintB: bytes(4, 32) }
  expect(linesOf('proof')).toEqual([toBase64Url(peerProof(swarmKey, 'offerer', seen)), toBase64Url(peerProof(swarmKey, 'answerer', seen))])
})
