import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { toPeerId, toSwarmId } from '../../src/core/model/ids.ts'
import { encodeClientSignal, encodeServerSignal } from '../../src/core/wire/signal-encoding.ts'
import {
  ERROR_CODES,
  parseClientSignal,
  parseServerSignal,
  REPORT_REASONS,
  ROOMS_PER_CONNECTION,
  type ClientSignal,
  type Negotiation,
  type ServerSignal,
} from '../../src/core/wire/signal-message.ts'
import { errorFrom } from './manifest/outcome.ts'

const base64url = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.split('')
const key = (minLength: number, maxLength: number) => fc.string({ unit: fc.constantFrom(...base64url), minLength, maxLength })
const swarm = key(43, 43).map(toSwarmId)
const peer = key(8, 32).map(toPeerId)
const sid = key(1, 64)
const role = fc.constantFrom('leech' as const, 'seed' as const)
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined })
const credential = fc.tuple(key(1, 200), key(43, 43)).map((parts) => parts.join('.'))
const seconds = fc.integer({ min: 0, max: 2 ** 31 })
const sdp = fc.string({ unit: 'binary', maxLength: 400 })
const negotiation: fc.Arbitrary<Negotiation> = fc.oneof(
  sdp.map((text): Negotiation => ({ kind: 'offer', sdp: { type: 'offer', sdp: text } })),
  sdp.map((text): Negotiation => ({ kind: 'answer', sdp: { type: 'answer', sdp: text } })),
  fc
    .record({
      candidate: fc.string({ maxLength: 100 }),
      sdpMid: fc.option(fc.constantFrom('0', 'data')),
      sdpMLineIndex: fc.option(fc.nat(255)),
    })
    .map((candidate): Negotiation => ({ kind: 'candidate', candidate })),
  fc.constant<Negotiation>({ kind: 'end' }),
)
const info = fc.record({ id: peer, role, lan: fc.boolean() })
const ice = fc.record({
  urls: fc.constantFrom('stun:192.0.2.1:3478', 'turn:turn.example'),
  username: optional(fc.string({ maxLength: 50 })),
  credential: optional(key(0, 50)),
})

const clientSignal: fc.Arbitrary<ClientSignal> = fc.oneof(
  fc.record({
    type: fc.constant('hello' as const),
    v: fc.constant(1 as const),
    token: optional(credential),
    ticket: optional(credential),
    resume: optional(sid),
    rooms: fc.array(fc.record({ swarm, role }), { maxLength: ROOMS_PER_CONNECTION }),
  }),
  fc.record({ type: fc.constant('join' as const), swarm, role }),
  fc.record({ type: fc.constant('leave' as const), swarm }),
  fc.tuple(swarm, sid, peer, negotiation).map(([swarm, sid, to, rest]): ClientSignal => ({ type: 'sig', swarm, sid, to, ...rest })),
  fc.record({ type: fc.constant('report' as const), peer, swarm, reason: fc.constantFrom(...REPORT_REASONS) }),
  fc.constant<ClientSignal>({ type: 'bye' }),
)

const serverSignal: fc.Arbitrary<ServerSignal> = fc.oneof(
  fc.record({
    type: fc.constant('welcome' as const),
    id: peer,
    resume: sid,
    token: optional(credential),
    tokenExpiresAtSeconds: optional(seconds),
    ice: fc.array(ice, { maxLength: LIMITS.iceServers }),
    serverTime: seconds,
  }),
  fc.record({ type: fc.constant('peers' as const), swarm, peers: fc.array(info, { maxLength: LIMITS.peersPerSignal }) }),
  fc.record({ type: fc.constant('peer-left' as const), swarm, id: peer }),
  fc.tuple(swarm, sid, peer, negotiation).map(([swarm, sid, from, rest]): ServerSignal => ({ type: 'sig', swarm, sid, from, ...rest })),
  fc.record({ type: fc.constant('error' as const), code: fc.constantFrom(...ERROR_CODES), fatal: fc.boolean(), swarm: optional(swarm) }),
  fc.record({ type: fc.constant('drain' as const), retryMs: fc.nat(3_600_000) }),
)

const refusal = (run: () => unknown): string | undefined => errorFrom(run)?.code

const SWARM = 'A'.repeat(43)
const sig = (rest: object) => JSON.stringify({ type: 'sig', to: 'peer-0001', swarm: SWARM, sid: '1', ...rest })

describe('signaling messages', () => {
  test('survive their encoding, from clients and from servers', () => {
    fc.assert(
      fc.property(clientSignal, serverSignal, (fromClient, fromServer) => {
        expect(parseClientSignal(encodeClientSignal(fromClient))).toEqual(fromClient)
        expect(parseServerSignal(encodeServerSignal(fromServer))).toEqual(fromServer)
      }),
      { numRuns: 500 },
    )
  })

  test('of any text at all are read or refused with signal-invalid, never with another error', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.json({ maxDepth: 40 }),
      fc.jsonValue().map((value) => JSON.stringify(value)),
    )
    fc.assert(
      fc.property(texts, (text) => {
        expect([undefined, 'signal-invalid']).toContain(refusal(() => parseClientSignal(text)))
        expect([undefined, 'signal-invalid']).toContain(refusal(() => parseServerSignal(text)))
      }),
      { numRuns: 2000 },
    )
  })

  test('with one field replaced by anything are read or refused with signal-invalid', () => {
    const changed = fc.tuple(fc.oneof(clientSignal, serverSignal), fc.jsonValue(), fc.nat())
    fc.assert(
      fc.property(changed, ([signal, value, at]) => {
        const names = Object.keys(signal)
        const text = JSON.stringify({ ...signal, [names[at % names.length] ?? 'type']: value })
        expect([undefined, 'signal-invalid']).toContain(refusal(() => parseClientSignal(text)))
        expect([undefined, 'signal-invalid']).toContain(refusal(() => parseServerSignal(text)))
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['null', 'null'],
    ['a list', '[]'],
    ['no type', '{}'],
    ['an inherited name as type', '{"type":"constructor"}'],
    ['a prototype that pretends', '{"__proto__":{"type":"bye"}}'],
    ['an unknown type', '{"type":"scrape"}'],
    ['another version', '{"type":"hello","v":2}'],
    ['a null token', '{"type":"hello","v":1,"token":null}'],
    ['a token that is no token', '{"type":"hello","v":1,"token":"x"}'],
    ['a swarm that is no swarm id', '{"type":"join","swarm":"edge-agent","role":"leech"}'],
    ['a role nobody has', `{"type":"join","swarm":"${SWARM}","role":"admin"}`],
    ['an offer that holds an answer', sig({ kind: 'offer', sdp: { type: 'answer', sdp: 'v=0' } })],
    ['a rollback as description', sig({ kind: 'rollback', sdp: { type: 'rollback', sdp: '' } })],
    ['a description that is a text', sig({ kind: 'offer', sdp: 'v=0' })],
    ['a description one byte too long', sig({ kind: 'offer', sdp: { type: 'offer', sdp: 'x'.repeat(LIMITS.sdpBytes + 1) } })],
    [
      'a description too long in bytes, not in characters',
      sig({ kind: 'offer', sdp: { type: 'offer', sdp: 'é'.repeat(LIMITS.sdpBytes / 2 + 1) } }),
    ],
    ['a candidate one byte too long', sig({ kind: 'candidate', candidate: { candidate: 'x'.repeat(LIMITS.candidateBytes + 1) } })],
    ['a line index below 0', sig({ kind: 'candidate', candidate: { candidate: '', sdpMLineIndex: -1 } })],
    ['a renegotiation', sig({ kind: 'renegotiate', renegotiate: true })],
    ['one byte more than a message may have', `{"type":"bye","x":"${'x'.repeat(LIMITS.signalBytes - 20)}"}`],
    ['deep nesting', `{"type":"bye","x":${'['.repeat(40)}${']'.repeat(40)}}`],
  ])('refuses %s', (_, text) => {
    expect(refusal(() => parseClientSignal(text))).toBe('signal-invalid')
  })

  test('take no field from a prototype, even one that a script of the page has polluted', () => {
    Object.defineProperty(Object.prototype, 'type', { value: 'bye', configurable: true })
    try {
      expect(refusal(() => parseClientSignal('{}'))).toBe('signal-invalid')
    } finally {
      Reflect.deleteProperty(Object.prototype, 'type')
    }
  })

  test('at their largest are accepted', () => {
    const offer = sig({ kind: 'offer', sdp: { type: 'offer', sdp: 'x'.repeat(LIMITS.sdpBytes) } })
    expect(refusal(() => parseClientSignal(offer))).toBeUndefined()
    expect(refusal(() => parseClientSignal(`{"type":"bye","x":"${'x'.repeat(LIMITS.signalBytes - 21)}"}`))).toBeUndefined()
    expect(refusal(() => parseClientSignal(`{"type":"bye","x":${'['.repeat(31)}${']'.repeat(31)}}`))).toBeUndefined()
  })

  test('that end the candidates with an empty one are accepted, as Firefox sends them', () => {
    const text = sig({ kind: 'candidate', candidate: { candidate: '', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: 'a1b2' } })
    expect(parseClientSignal(text)).toMatchObject({ kind: 'candidate', candidate: { candidate: '', sdpMid: '0', sdpMLineIndex: 0 } })
  })

  test('carry nothing of a description or a candidate but the listed fields', () => {
    const sdp = { type: 'offer' as const, sdp: 'v=0', transceiverRequest: { kind: 'video' } }
    const candidate = { candidate: 'candidate:1', sdpMid: null, sdpMLineIndex: null, usernameFragment: 'a1b2' }
    const head = { type: 'sig' as const, swarm: toSwarmId(SWARM), sid: '1', to: toPeerId('peer-0001') }
    expect(encodeClientSignal({ ...head, kind: 'offer', sdp })).not.toContain('transceiverRequest')
    expect(encodeClientSignal({ ...head, kind: 'candidate', candidate })).not.toContain('usernameFragment')
    expect(parseClientSignal(sig({ kind: 'offer', sdp, renegotiate: true }))).toEqual({
      ...head,
      kind: 'offer',
      sdp: { type: 'offer', sdp: 'v=0' },
    })
  })

  test('longer than a server takes are refused before they are sent', () => {
    const sdp = { type: 'offer' as const, sdp: '\r'.repeat(LIMITS.sdpBytes) }
    const message = { type: 'sig', swarm: toSwarmId(SWARM), sid: '1', to: toPeerId('peer-0001'), kind: 'offer', sdp } as const
    expect(refusal(() => encodeClientSignal(message))).toBe('signal-invalid')
  })

  test('that cannot be read are refused without a word of what was sent, which may be a ticket', () => {
    const key = 'k3y'.repeat(15)
    for (const text of [
      `${key}`,
      `{"type":"hello","v":1,"ticket":${key}}`,
      `{"type":"hello","v":1,"ticket":"claims.mac.${key}"}`,
      `{"type":"hello","v":1,"resume":"${key.repeat(2)}"}`,
      `{"type":"${key}"}`,
    ]) {
      const error = errorFrom(() => parseClientSignal(text))
      expect(error).toMatchObject({ code: 'signal-invalid' })
      expect(inspect(error)).not.toContain('k3y')
    }
  })

  test('say where they are wrong', () => {
    const peers = { type: 'peers', swarm: SWARM, peers: [{ id: 'peer-0001', role: 'seed', lan: true }, { id: 'peer-0002' }] }
    expect(errorFrom(() => parseServerSignal(JSON.stringify(peers)))?.failure).toEqual({
      code: 'signal-invalid',
      path: 'peers[1].role',
      detail: 'expected one of leech, seed',
    })
    expect(errorFrom(() => parseClientSignal(sig({ kind: 'offer', sdp: { type: 'offer' } })))?.failure).toEqual({
      code: 'signal-invalid',
      path: 'sdp.sdp',
      detail: 'expected text',
    })
  })

  test('from a later version are refused when they say that they must not be read without what it added', () => {
    expect(parseClientSignal('{"type":"bye","colour":"red"}')).toEqual({ type: 'bye' })
    expect(parseClientSignal('{"type":"bye","critical":["type"]}')).toEqual({ type: 'bye' })
    expect(refusal(() => parseClientSignal('{"type":"bye","colour":"red","critical":["colour"]}'))).toBe('signal-invalid')
    expect(refusal(() => parseServerSignal('{"type":"drain","retryMs":1,"critical":["colour"]}'))).toBe('signal-invalid')
  })

  test('never carry the swarm key of a ticket', () => {
    const ticket = `claims.${'m'.repeat(43)}.${'k'.repeat(43)}`
    expect(encodeClientSignal({ type: 'hello', v: 1, token: undefined, ticket, resume: undefined, rooms: [] })).not.toContain('kkk')
    expect(refusal(() => parseClientSignal(JSON.stringify({ type: 'hello', v: 1, ticket })))).toBe('signal-invalid')
  })
})
