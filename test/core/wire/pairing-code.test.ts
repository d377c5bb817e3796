import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DeliveryError } from '../../../src/core/errors.ts'
import { addressOfCandidate, candidateOfAddress, type PairingAddress } from '../../../src/core/wire/pairing-address.ts'
import {
  decodePairingCode,
  encodePairingCode,
  PAIRING_ADDRESSES,
  PAIRING_CODE_CHARACTERS,
  requirePairing,
  type PairingCode,
} from '../../../src/core/wire/pairing-code.ts'
import { readDescription, writeDescription } from '../../../src/core/wire/pairing-description.ts'
import { filterDescription, isCandidateAllowed } from '../../../src/sources/mesh/negotiation-filter.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const ice = (minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...'ABCXYZabcxyz0189+/'.split('')), minLength, maxLength })

const address: fc.Arbitrary<PairingAddress> = fc
  .record({
    type: fc.constantFrom('host', 'srflx', 'relay'),
    family: fc.constantFrom('mdns', 'ipv4', 'ipv6'),
    port: fc.integer({ min: 1, max: 65_535 }),
  })
  .chain((rest) => bytes(rest.family === 'ipv4' ? 4 : 16).map((place) => ({ ...rest, bytes: place })))

const code: fc.Arbitrary<PairingCode> = fc
  .record({
    site: bytes(4),
    pairing: bytes(6),
    expiresAtSeconds: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    ufrag: ice(4, 32),
    password: ice(22, 48),
    fingerprint: bytes(32),
    addresses: fc.array(address, { maxLength: PAIRING_ADDRESSES }),
  })
  .chain((rest) =>
    fc
      .constantFrom(
        ...([
          ['offer', 'actpass'],
          ['answer', 'active'],
          ['answer', 'passive'],
        ] as const),
      )
      .map(([side, setup]) => ({ ...rest, side, setup })),
  )

const EXAMPLE: PairingCode = {
  side: 'offer',
  setup: 'actpass',
  site: new Uint8Array(4).fill(1),
  pairing: new Uint8Array(6).fill(2),
  expiresAtSeconds: 1_800_000_600,
  ufrag: 'jidk',
  password: 'kY3NrqFsk6gpyhY7ZOzhaj56',
  fingerprint: new Uint8Array(32).fill(3),
  addresses: [{ type: 'host', family: 'mdns', bytes: new Uint8Array(16).fill(4), port: 48_580 }],
}

/** Why a code was refused. @throws whatever is no refusal of a pairing */
function reasonOf(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof DeliveryError && error.failure.code === 'pairing-refused') return error.failure.reason
    throw error
  }
}

describe('a pairing code', () => {
  test('says all that was put into it, in capitals and digits, in fewer than 400 characters', () => {
    fc.assert(
      fc.property(code, (one) => {
        const text = encodePairingCode(one)
        expect(decodePairingCode(text)).toEqual(one)
        expect(text).toMatch(/^[A-Z2-7]+$/)
        expect(text.length).toBeLessThan(PAIRING_CODE_CHARACTERS)
      }),
    )
  })

  test('of a browser with one address has 152 characters, and 31 more for each further one', () => {
    const two = { ...EXAMPLE, addresses: [...EXAMPLE.addresses, ...EXAMPLE.addresses] }
    expect([EXAMPLE, two].map((one) => encodePairingCode(one).length)).toEqual([152, 183])
  })

  test('is the same in lower case, with spaces, and over several lines', () => {
    const text = encodePairingCode(EXAMPLE)
    const written = ` ${text
      .toLowerCase()
      .replace(/(.{5})/g, '$1 ')
      .replace(/(.{60})/g, '$1\n')}`
    expect(decodePairingCode(written)).toEqual(EXAMPLE)
  })

  test('with one character altered, missing or added is refused as unreadable', () => {
    const text = encodePairingCode(EXAMPLE)
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.split('')), (at, letter) => {
        const altered = `${text.slice(0, at)}${letter}${text.slice(at + 1)}`
        expect(reasonOf(() => decodePairingCode(altered))).toBe(altered === text ? undefined : 'unreadable')
        expect(reasonOf(() => decodePairingCode(text.slice(0, at) + text.slice(at + 1)))).toBe('unreadable')
        expect(reasonOf(() => decodePairingCode(text.slice(0, at) + letter + text.slice(at)))).toBe('unreadable')
      }),
    )
  })

  test('never makes a reader throw anything but its refusal, whatever it is', () => {
    const base32 = fc.string({ unit: fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.split('')), maxLength: 500 })
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 500 }), base32), (text) => {
        const reason = reasonOf(() => decodePairingCode(text))
        expect(['unreadable', 'version', undefined]).toContain(reason)
      }),
      { numRuns: 500 },
    )
  })

  test('of hostile bytes under a right checksum never makes a reader throw anything but its refusal, and hides no second spelling', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 245 }), fc.boolean(), (body, isOurs) => {
        const text = encodeRaw(isOurs ? Uint8Array.from([1, ...body]) : body)
        let read: PairingCode | undefined
        const reason = reasonOf(() => (read = decodePairingCode(text)))
        expect(['unreadable', 'version', undefined]).toContain(reason)
        if (read !== undefined) expect(encodePairingCode(read)).toBe(text)
      }),
      { numRuns: 500 },
    )
  })

  test('of another version is named as such', () => {
    expect(reasonOf(() => decodePairingCode(encodeRaw(Uint8Array.from([2, ...new Uint8Array(60)]))))).toBe('version')
  })

  test.each([
    ['site', { site: new Uint8Array(4).fill(9) }],
    ['side', { side: 'answer' }],
    ['pairing', { pairing: new Uint8Array(6).fill(9) }],
    ['expired', { nowSeconds: EXAMPLE.expiresAtSeconds }],
    [undefined, {}],
  ] as const)('that does not fit is refused for its %s', (reason, other) => {
    const expected = { side: 'offer', site: EXAMPLE.site, pairing: EXAMPLE.pairing, nowSeconds: EXAMPLE.expiresAtSeconds - 1 } as const
    expect(reasonOf(() => requirePairing(EXAMPLE, { ...expected, ...other }))).toBe(reason)
  })
})

/** A body with the checksum that belongs to it. */
function encodeRaw(body: Uint8Array): string {
  const digest = sha256(body).subarray(0, 4)
  const whole = Uint8Array.from([...body, ...digest])
  const bits = [...whole].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{1,5}/g) ?? []).map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five.padEnd(5, '0'), 2)]).join('')
}

const CHROMIUM = [
  'v=0',
  'o=- 8176096797091994279 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 0.0.0.0',
  'a=ice-ufrag:jidk',
  'a=ice-pwd:kY3NrqFsk6gpyhY7ZOzhaj56',
  'a=ice-options:trickle',
  `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => '03').join(':')}`,
  'a=setup:actpass',
  'a=mid:0',
  'a=sctp-port:5000',
  'a=max-message-size:262144',
  '',
].join('\r\n')

describe('a description that went through a code', () => {
  test('is that of the browser that made it, and passes the filter for strangers', () => {
    const facts = readDescription(CHROMIUM)
    expect(facts).toEqual({ setup: 'actpass', ufrag: 'jidk', password: 'kY3NrqFsk6gpyhY7ZOzhaj56', fingerprint: EXAMPLE.fingerprint })
    const { sdp, fingerprint } = filterDescription(writeDescription(EXAMPLE), 'lan')
    expect(sdp).toBe(writeDescription(EXAMPLE))
    expect(fingerprint).toEqual(EXAMPLE.fingerprint)
  })

  test('of any code is taken apart again, and passes the filter for strangers', () => {
    fc.assert(
      fc.property(code, (one) => {
        const { setup, ufrag, password, fingerprint } = one
        expect(readDescription(writeDescription(one))).toEqual({ setup, ufrag, password, fingerprint })
        expect(filterDescription(writeDescription(one), 'lan').fingerprint).toEqual(fingerprint)
      }),
    )
  })

  test('keeps its candidates: names, IPv4 and IPv6', () => {
    fc.assert(
      fc.property(address, fc.nat(5), (one, index) => {
        expect(addressOfCandidate(candidateOfAddress(one, index))).toEqual(one)
      }),
    )
  })

  test.each([
    ['candidate:1459693350 1 udp 2113937151 5fc67d43-b23d-43ab-83a0-43b068b08070.local 48580 typ host generation 0', 'mdns'],
    ['candidate:0 1 UDP 2122187007 192.168.1.7 49850 typ host', 'ipv4'],
    ['candidate:0 1 UDP 2122187007 fd00::2 49850 typ host', 'ipv6'],
    ['candidate:0 1 udp 1 203.0.113.9 49850 typ srflx raddr 0.0.0.0 rport 9', 'ipv4'],
    ['candidate:2 1 TCP 2105458943 c4283bcd-8c5d-45b2-acb3-bb24ce4c5516.local 9 typ host tcptype active', undefined],
    ['candidate:0 2 UDP 2122187007 192.168.1.7 49850 typ host', undefined],
    ['candidate:0 1 UDP 2122187007 laptop.local 49850 typ host', undefined],
    ['candidate:0 1 UDP 2122187007 ::ffff:192.168.1.7 49850 typ host', undefined],
    ['', undefined],
  ])('%s is carried as %s', (candidate, family) => {
    expect(addressOfCandidate(candidate)?.family).toBe(family)
  })

  test('does not make a filter let through what it would not let through from a server', () => {
    const loopback: PairingAddress = { type: 'host', family: 'ipv4', bytes: Uint8Array.of(127, 0, 0, 1), port: 5000 }
    const lan: PairingAddress = { ...loopback, bytes: Uint8Array.of(10, 0, 0, 1) }
    expect([loopback, lan].map((one) => isCandidateAllowed(candidateOfAddress(one, 0), 'lan'))).toEqual([false, true])
  })
})
