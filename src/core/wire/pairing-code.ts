/**
 * A session description short enough to be carried by hand: as a QR code or as text. Described in docs/peer-protocol.md.
 *
 * Base32, because a QR code packs capitals and digits into 5.5 bits each, and because whoever types or reads it aloud has one case and
 * no punctuation to mind.
 */

import { sha256 } from '@noble/hashes/sha2.js'
import { DeliveryError, type PairingRefusal } from '../errors.ts'
import { equalInConstantTime } from './ticket.ts'
import { readAddress, writeAddress, type PairingAddress } from './pairing-address.ts'

export const PAIRING_VERSION = 1
/** Any code, with the most candidates and the longest names: a QR code of middling density, and a text that can still be pasted anywhere. */
export const PAIRING_CODE_CHARACTERS = 400
/** A browser names two or three. Names of others, and what comes after these, are left out. */
export const PAIRING_ADDRESSES = 6
const UFRAG = { least: 4, most: 32 } as const
const PASSWORD = { least: 22, most: 48 } as const
const CHECKSUM_BYTES = 4
const HEADER_BYTES = 16

export const PAIRING_SETUPS = ['actpass', 'active', 'passive'] as const

export type PairingSide = 'offer' | 'answer'

/** What one browser tells the other. */
export interface PairingCode {
  readonly side: PairingSide
  /** 4 bytes of a keyed hash: tells members of one site from those of another, and nobody else anything. */
  readonly site: Uint8Array
  /** 6 bytes, random: an answer carries those of its offer. */
  readonly pairing: Uint8Array
  readonly expiresAtSeconds: number
  /** Who begins the DTLS handshake. An offer leaves it open. */
  readonly setup: (typeof PAIRING_SETUPS)[number]
  /** Letters, digits, `+` and `/`. */
  readonly ufrag: string
  readonly password: string
  /** SHA-256 of the DTLS certificate, 32 bytes. */
  readonly fingerprint: Uint8Array
  /** At most `PAIRING_ADDRESSES`. */
  readonly addresses: readonly PairingAddress[]
}

/** @throws {RangeError} when a part is out of its range */
export function encodePairingCode(code: PairingCode): string {
  const { site, pairing, fingerprint, addresses } = code
  for (const [part, length] of [
    [site, 4],
    [pairing, 6],
    [fingerprint, 32],
  ] as const)
    if (part.length !== length) throw new RangeError(`expected ${length} bytes, got ${part.length}`)
  if (addresses.length > PAIRING_ADDRESSES) throw new RangeError(`expected at most ${PAIRING_ADDRESSES} addresses`)
  const header = new Uint8Array(HEADER_BYTES)
  header[0] = PAIRING_VERSION
  header[1] = SIDES.indexOf(code.side) * 4 + PAIRING_SETUPS.indexOf(code.setup)
  header.set(site, 2)
  header.set(pairing, 6)
  new DataView(header.buffer).setUint32(12, code.expiresAtSeconds)
  const body = [
    ...header,
    ...packIce(code.ufrag, UFRAG),
    ...packIce(code.password, PASSWORD),
    ...fingerprint,
    addresses.length,
    ...addresses.flatMap((address) => [...writeAddress(address)]),
  ]
  return toBase32(Uint8Array.from([...body, ...checksumOf(Uint8Array.from(body))]))
}

/**
 * Reads what somebody typed, pasted or scanned. White space and case do not matter.
 * @throws {DeliveryError} `pairing-refused` with reason `unreadable` or `version`, and nothing else, for any text
 */
export function decodePairingCode(text: string): PairingCode {
  const bytes = fromBase32(text)
  if (bytes === undefined || bytes.length <= HEADER_BYTES + CHECKSUM_BYTES) throw unreadable('this is no pairing code')
  const body = bytes.subarray(0, -CHECKSUM_BYTES)
  if (!equalInConstantTime(checksumOf(body), bytes.subarray(-CHECKSUM_BYTES))) throw unreadable('a part of it is missing or altered')
  const version = body[0]
  // The checksum is the same in every version, so that this can be said for sure.
  if (version !== PAIRING_VERSION) throw refusePairing('version', `version ${version}, and this page knows ${PAIRING_VERSION}`)
  const flags = body[1] ?? 0
  const [side, setup] = [SIDES[flags >> 2], PAIRING_SETUPS[flags & 3]]
  const reader = new Reader(body, HEADER_BYTES)
  const [ufrag, password] = [reader.ice(UFRAG), reader.ice(PASSWORD)]
  const fingerprint = reader.take(32)
  const addresses = reader.addresses()
  if (side === undefined || setup === undefined || (side === 'offer') !== (setup === 'actpass'))
    throw unreadable('it says neither offer nor answer')
  return {
    side,
    setup,
    site: body.slice(2, 6),
    pairing: body.slice(6, 12),
    expiresAtSeconds: new DataView(body.buffer, body.byteOffset).getUint32(12),
    ufrag,
    password,
    fingerprint,
    addresses,
  }
}

const SIDES: readonly PairingSide[] = ['offer', 'answer']

/** What a code has to be to be of use here and now. */
export interface PairingExpectation {
  readonly side: PairingSide
  readonly site: Uint8Array
  readonly nowSeconds: number
  /** Of the offer that is to be answered; undefined: any. */
  readonly pairing: Uint8Array | undefined
}

/** @throws {DeliveryError} `pairing-refused` with reason `site`, `side`, `pairing` or `expired` */
export function requirePairing(code: PairingCode, expected: PairingExpectation): void {
  if (!equalInConstantTime(code.site, expected.site))
    throw refusePairing('site', 'it was made on another site, or by somebody who is no member of this one')
  if (code.side !== expected.side)
    throw refusePairing(
      'side',
      code.side === 'offer'
        ? "both browsers made a first code; one of them has to enter the other's"
        : 'it answers a first code, and none was made here',
    )
  if (expected.pairing !== undefined && !equalInConstantTime(code.pairing, expected.pairing))
    throw refusePairing('pairing', 'it answers another code than the one shown here')
  if (code.expiresAtSeconds <= expected.nowSeconds) throw refusePairing('expired', 'its time is over')
}

/** Walks through a body. Everything is bounded by the body, which is bounded by the text. */
class Reader {
  readonly #bytes: Uint8Array
  #at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  take(length: number): Uint8Array<ArrayBuffer> {
    const end = this.#at + length
    if (end > this.#bytes.length) throw unreadable('a part of it is missing')
    const taken = this.#bytes.slice(this.#at, end)
    this.#at = end
    return taken
  }

  byte(): number {
    return this.take(1)[0] ?? 0
  }

  /** As `packIce` wrote it: a second spelling of the same text is none. */
  ice({ least, most }: typeof UFRAG | typeof PASSWORD): string {
    const length = this.byte()
    if (length < least || length > most) throw unreadable('its credentials are too short or too long')
    const packed = this.take(Math.ceil((length * 6) / 8))
    const text = unpack(packed, { bits: 6, count: length, alphabet: ICE })
    if (text === undefined) throw unreadable('its credentials have spare bits')
    return text
  }

  addresses(): readonly PairingAddress[] {
    const count = this.byte()
    if (count > PAIRING_ADDRESSES) throw unreadable('it names too many addresses')
    const addresses = Array.from({ length: count }, () => {
      const address = readAddress((length) => this.take(length))
      if (address === undefined) throw unreadable('it names an address of an unknown kind')
      return address
    })
    if (this.#at !== this.#bytes.length) throw unreadable('there is something behind its end')
    return addresses
  }
}

const ICE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function packIce(text: string, { least, most }: typeof UFRAG | typeof PASSWORD): readonly number[] {
  if (text.length < least || text.length > most) throw new RangeError(`expected ${least} to ${most} characters, got ${text.length}`)
  const packed = pack(text, { bits: 6, alphabet: ICE })
  if (packed === undefined) throw new RangeError('expected letters, digits, + and /')
  return [text.length, ...packed]
}

function toBase32(bytes: Uint8Array): string {
  const count = Math.ceil((bytes.length * 8) / 5)
  let text = ''
  for (let at = 0; at < count; at++) text += BASE32[bitsAt(bytes, { start: at * 5, bits: 5 })] ?? ''
  return text
}

/** Undefined unless it is one spelling of whole bytes, white space and case apart. */
function fromBase32(text: string): Uint8Array | undefined {
  // Room for the spaces and line breaks of whatever it came through.
  if (text.length > 4 * PAIRING_CODE_CHARACTERS) return undefined
  const letters = text.replace(/\s/g, '').toUpperCase()
  if (letters.length > PAIRING_CODE_CHARACTERS) return undefined
  const packed = pack(letters, { bits: 5, alphabet: BASE32 })
  const bytes = packed?.subarray(0, Math.floor((letters.length * 5) / 8))
  return bytes !== undefined && toBase32(bytes) === letters ? bytes : undefined
}

interface Packing {
  readonly bits: number
  readonly alphabet: string
}

/** Undefined when a character is not of the alphabet. The last byte is filled up with zeros. */
function pack(text: string, { bits, alphabet }: Packing): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.ceil((text.length * bits) / 8))
  for (let at = 0; at < text.length; at++) {
    const value = alphabet.indexOf(text.charAt(at))
    if (value < 0) return undefined
    for (let bit = 0; bit < bits; bit++) {
      if (((value >> (bits - 1 - bit)) & 1) === 0) continue
      const place = at * bits + bit
      bytes[place >> 3] = (bytes[place >> 3] ?? 0) | (0x80 >> (place & 7))
    }
  }
  return bytes
}

function unpack(bytes: Uint8Array, { bits, alphabet, count }: Packing & { readonly count: number }): string | undefined {
  let text = ''
  for (let at = 0; at < count; at++) text += alphabet[bitsAt(bytes, { start: at * bits, bits })] ?? ''
  const spare = bytes.length * 8 - count * bits
  return spare > 0 && bitsAt(bytes, { start: count * bits, bits: spare }) !== 0 ? undefined : text
}

/** Bits behind the end are zero. */
function bitsAt(bytes: Uint8Array, { start, bits }: { readonly start: number; readonly bits: number }): number {
  let value = 0
  for (let place = start; place < start + bits; place++) value = value * 2 + (((bytes[place >> 3] ?? 0) >> (7 - (place & 7))) & 1)
  return value
}

function checksumOf(body: Uint8Array): Uint8Array {
  return sha256(body).subarray(0, CHECKSUM_BYTES)
}

function unreadable(detail: string): DeliveryError {
  return refusePairing('unreadable', detail)
}

/** The error for a code, or for pairing here and now. The caller throws it. */
export function refusePairing(reason: PairingRefusal, detail: string, cause?: unknown): DeliveryError {
  return new DeliveryError({ code: 'pairing-refused', reason, detail }, { cause })
}
