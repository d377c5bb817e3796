import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import { toSha256 } from '../../src/core/model/ids.ts'
import { fromBase64Url, toBase64Url } from '../../src/core/base64.ts'
import {
  catalogueSwarmOf,
  credentialOf,
  equalInConstantTime,
  mintSessionToken,
  mintTicket,
  openSwarmKey,
  parseTicket,
  peerProof,
  swarmIdOf,
  verifySessionToken,
  verifyTicket,
  type MemberClaims,
  type NewTicket,
  type TicketKey,
} from '../../src/core/wire/ticket.ts'
import { errorFrom } from './manifest/outcome.ts'

const NOW = 1_790_000_000
const DAY = 86_400
const OLD: TicketKey = { kid: 'old', secret: new Uint8Array(32).fill(1) }
const NEW: TicketKey = { kid: 'new', secret: new Uint8Array(32).fill(2) }
const SWARM_KEY = Uint8Array.from({ length: 32 }, (_, i) => i)
const TICKET: NewTicket = { site: 'https://portal.example', role: 'leech', swarmKey: SWARM_KEY, lifetimeSeconds: 30 * DAY, jti: 'ticket-1' }

const credential = (changes: Partial<NewTicket> = {}, key = NEW): string => credentialOf(mintTicket({ ...TICKET, ...changes }, key, NOW))

function claimsOf(text: string): MemberClaims {
  const verdict = verifyTicket(text, [NEW, OLD], NOW)
  if (verdict.kind === 'refused') throw new Error(verdict.reason)
  return verdict.claims
}

describe('a membership ticket', () => {
  test('tells its holder the swarm key, the site, the role and when it ends', () => {
    const text = mintTicket(TICKET, NEW, NOW)
    const ticket = parseTicket(text)
    expect(ticket).toMatchObject({
      site: TICKET.site,
      role: 'leech',
      kid: 'new',
      issuedAtSeconds: NOW,
      expiresAtSeconds: NOW + 30 * DAY,
      jti: 'ticket-1',
    })
    expect(ticket.swarmKey).toEqual(SWARM_KEY)
    expect(text).toBe(`${ticket.credential}.${toBase64Url(SWARM_KEY)}`)
  })

  test('shows a server everything but the swarm key', () => {
    const shown = credential()
    expect(verifyTicket(shown, [NEW], NOW)).toMatchObject({ kind: 'valid', claims: { site: TICKET.site, role: 'leech' } })
    expect(shown).not.toContain(toBase64Url(SWARM_KEY))
    expect(Buffer.from(shown.split('.')[0] ?? '', 'base64url').toString()).not.toContain(toBase64Url(SWARM_KEY))
  })

  test('of a swarm has the same scope as any other of it, and of another swarm a different one', () => {
    const scope = claimsOf(credential()).scope
    expect(claimsOf(credential({ jti: 'ticket-2', role: 'seed' }, OLD)).scope).toBe(scope)
    expect(claimsOf(credential({ swarmKey: new Uint8Array(32) })).scope).not.toBe(scope)
  })

  test.each([
    ['by a key that is live', credential(), [NEW, OLD], NOW, 'valid'],
    ['by the older of two live keys', credential({}, OLD), [NEW, OLD], NOW, 'valid'],
    ['by a key that was retired', credential({}, OLD), [NEW], NOW, 'unknown-key'],
    ['by another secret under the same name', credential(), [{ kid: 'new', secret: OLD.secret }], NOW, 'bad-mac'],
    ['in its last second', credential(), [NEW], NOW + 30 * DAY - 1, 'valid'],
    ['in the second it ends', credential(), [NEW], NOW + 30 * DAY, 'expired'],
    ['by a clock a little ahead', credential(), [NEW], NOW - 300, 'valid'],
    ['by a clock far ahead', credential(), [NEW], NOW - 301, 'not-yet'],
    ['with the key still on', mintTicket(TICKET, NEW, NOW), [NEW], NOW, 'malformed'],
    ['that is empty', '', [NEW], NOW, 'malformed'],
    ['that is far too long', `${'A'.repeat(3000)}.${'A'.repeat(43)}`, [NEW], NOW, 'malformed'],
  ] as const)('%s is judged for what it is', (...[, text, keys, now, expected]) => {
    const verdict = verifyTicket(text, keys, now)
    expect(verdict.kind === 'valid' ? 'valid' : verdict.reason).toBe(expected)
  })

  test('with any one character changed is refused', () => {
    const text = credential()
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom('A', 'Z', 'a', 'z', '0', '9', '-', '_', '.'), (at, character) => {
        fc.pre(text[at] !== character)
        const changed = text.slice(0, at) + character + text.slice(at + 1)
        expect(verifyTicket(changed, [NEW], NOW).kind).toBe('refused')
      }),
      { numRuns: 500 },
    )
  })

  test('of any text at all is judged, never thrown over', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.json().map((json) => `${Buffer.from(json).toString('base64url')}.${'A'.repeat(43)}`),
        ),
        (text) => {
          expect(verifyTicket(text, [NEW], NOW).kind).toBe('refused')
          expect(() => parseTicket(text)).toThrow(DeliveryError)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('whose key does not belong to its claims is refused by its holder', () => {
    expect(() => parseTicket(`${credential()}.${toBase64Url(new Uint8Array(32))}`)).toThrow(/ticket-invalid/)
  })

  test('that cannot be read is refused without a word of it', () => {
    const part = (text: string): string => toBase64Url(new TextEncoder().encode(text))
    const rest = `${toBase64Url(new Uint8Array(32))}.${toBase64Url(SWARM_KEY)}`
    for (const claims of [
      's3cret',
      '{"v":1,"kid":s3cret}',
      '{"v":1,"kid":"s3cret!"}',
      '{"v":"s3cret"}',
      '{"v":1,"kid":"a","site":"s3cret"}',
    ]) {
      const error = errorFrom(() => parseTicket(`${part(claims)}.${rest}`))
      expect(error).toMatchObject({ code: 'ticket-invalid' })
      const told = inspect(error)
      for (const secret of ['s3cret', part(claims), toBase64Url(SWARM_KEY)]) expect(told).not.toContain(secret)
    }
  })

  test('that must not be read without what a later version added is refused', () => {
    const claims = { v: 1, kid: 'new', site: TICKET.site, role: 'leech', scope: 'A'.repeat(43), iat: NOW, exp: NOW + 60, jti: 'ticket-1' }
    const failureOf = (more: object) => {
      const part = toBase64Url(new TextEncoder().encode(JSON.stringify({ ...claims, ...more })))
      return errorFrom(() => parseTicket(`${part}.${'A'.repeat(43)}.${toBase64Url(SWARM_KEY)}`))?.failure
    }
    expect(failureOf({ once: true })).toMatchObject({ code: 'ticket-invalid', detail: expect.stringContaining('swarm key') })
    expect(failureOf({ once: true, critical: ['once'] })).toMatchObject({ code: 'ticket-invalid', detail: expect.stringContaining('once') })
  })

  test.each([
    ['31 days', { lifetimeSeconds: 31 * DAY }, RangeError],
    ['no time at all', { lifetimeSeconds: 0 }, RangeError],
    ['a short swarm key', { swarmKey: new Uint8Array(16) }, RangeError],
    ['a page instead of an origin', { site: 'https://portal.example/' }, TypeError],
    ['a jti anybody could guess', { jti: '1' }, RangeError],
  ] as const)('is not made for %s', (_, changes, error) => {
    expect(() => mintTicket({ ...TICKET, ...changes }, NEW, NOW)).toThrow(error)
  })

  test('is not made with a short secret', () => {
    expect(() => mintTicket(TICKET, { kid: 'x', secret: new Uint8Array(16) }, NOW)).toThrow(RangeError)
  })
})

describe('a session token', () => {
  test('lives ten minutes, and never longer than the ticket it came from', () => {
    const member = claimsOf(credential())
    expect(mintSessionToken(member, NEW, NOW).expiresAtSeconds).toBe(NOW + 600)
    expect(mintSessionToken({ ...member, expiresAtSeconds: NOW + 60 }, NEW, NOW).expiresAtSeconds).toBe(NOW + 60)
    const token = mintSessionToken(member, NEW, NOW).text
    expect(verifySessionToken(token, [NEW], NOW + 599).kind).toBe('valid')
    expect(verifySessionToken(token, [NEW], NOW + 600)).toEqual({ kind: 'refused', reason: 'expired' })
  })

  test('is no ticket, and a ticket is no session token', () => {
    const short = credential({ lifetimeSeconds: 60 })
    const token = mintSessionToken(claimsOf(short), NEW, NOW).text
    expect(verifyTicket(token, [NEW], NOW)).toEqual({ kind: 'refused', reason: 'bad-mac' })
    expect(verifySessionToken(short, [NEW], NOW)).toEqual({ kind: 'refused', reason: 'bad-mac' })
  })
})

describe('the swarm key', () => {
  const digest = toSha256('ab'.repeat(32))

  test('names a room per artifact, which nobody without it can name', () => {
    expect(swarmIdOf(SWARM_KEY, digest)).toBe(swarmIdOf(SWARM_KEY, digest))
    const ids = [
      swarmIdOf(SWARM_KEY, digest),
      swarmIdOf(SWARM_KEY, toSha256('cd'.repeat(32))),
      swarmIdOf(new Uint8Array(32), digest),
      catalogueSwarmOf(SWARM_KEY, 'example'),
      catalogueSwarmOf(SWARM_KEY, digest),
      swarmIdOf(openSwarmKey('example'), digest),
    ]
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('proves membership over one connection and one role, and nothing else', () => {
    const bytes = (fill: number, length = 32): Uint8Array => new Uint8Array(length).fill(fill)
    const seen = { nonceA: bytes(1, 16), nonceB: bytes(2, 16), fingerprintA: bytes(3), fingerprintB: bytes(4) }
    const proof = peerProof(SWARM_KEY, 'offerer', seen)
    expect(equalInConstantTime(proof, peerProof(SWARM_KEY, 'offerer', { ...seen }))).toBe(true)
    const others = [
      peerProof(SWARM_KEY, 'answerer', seen),
      peerProof(bytes(0), 'offerer', seen),
      peerProof(SWARM_KEY, 'offerer', { ...seen, nonceB: bytes(9, 16) }),
      peerProof(SWARM_KEY, 'offerer', { ...seen, fingerprintA: bytes(9) }),
      peerProof(SWARM_KEY, 'offerer', { ...seen, fingerprintB: bytes(9) }),
      peerProof(SWARM_KEY, 'offerer', { ...seen, nonceA: bytes(1, 15), nonceB: Uint8Array.of(1, ...seen.nonceB) }),
    ]
    for (const other of others) expect(equalInConstantTime(proof, other)).toBe(false)
    expect(() => peerProof(SWARM_KEY, 'offerer', { ...seen, nonceA: new Uint8Array(0) })).toThrow(RangeError)
  })
})

test('base64url has one spelling for any bytes, and no other is read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(toBase64Url(bytes)).toBe(Buffer.from(bytes).toString('base64url'))
      expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes)
    }),
  )
  for (const text of ['A', 'AB', 'AA=', 'AA==', 'A+', 'A/', ' AA']) expect(fromBase64Url(text)).toBeUndefined()
  expect(equalInConstantTime(Uint8Array.of(1), Uint8Array.of(1, 2))).toBe(false)
})
