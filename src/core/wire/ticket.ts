/**
 * Membership of a site's swarm, and what it proves. Described in docs/signaling-protocol.md.
 *
 * A ticket is `claims.mac.key`. The first two parts are the credential that a signaling server checks; the third is the swarm key,
 * which names the rooms and proves membership to peers. It stays with the members: the claims hold only a one-way print of it, so a signaling
 * server can neither tell which artifacts are fetched nor stand in the middle of two peers.
 */

import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { fromBase64Url, toBase64Url } from '../base64.ts'
import { DeliveryError } from '../errors.ts'
import { openJsonText } from '../json/json.ts'
import type { JsonField } from '../json/json-field.ts'
import { LIMITS } from '../limits.ts'
import { toSwarmId, type Sha256, type SwarmId } from '../model/ids.ts'

/** The longest a membership ticket may live: how long a mesh outlives its portal. */
export const TICKET_MAX_SECONDS = 30 * 86_400
/** The longest a session token may live. */
export const SESSION_TOKEN_MAX_SECONDS = 600
/** How far the clocks of portal and signaling server may differ. */
export const CLOCK_SKEW_SECONDS = 300

/** A secret that portal and signaling server share. */
export interface TicketKey {
  /** 1 to 32 characters of `A-Z a-z 0-9 _ -`. */
  readonly kid: string
  /** At least 32 bytes, random. */
  readonly secret: Uint8Array
}

/** What a ticket or a session token says of its holder. */
export interface MemberClaims {
  readonly kid: string
  /** The origin it was made for, as browsers send it. */
  readonly site: string
  /** `seed` may also leech. */
  readonly role: 'leech' | 'seed'
  /** One-way print of the swarm key, 43 base64url characters. Members of one swarm have the same. */
  readonly scope: string
  readonly issuedAtSeconds: number
  readonly expiresAtSeconds: number
  /** Different for every ticket. */
  readonly jti: string
}

/** A ticket as its holder sees it: read, not verified. */
export interface Ticket extends MemberClaims {
  /** 32 bytes. Whoever has them is a member. */
  readonly swarmKey: Uint8Array<ArrayBuffer>
  /** What may be shown to a signaling server: the ticket without its key. */
  readonly credential: string
}

export interface NewTicket {
  readonly site: string
  readonly role: 'leech' | 'seed'
  /** 32 bytes, random, the same for all members. */
  readonly swarmKey: Uint8Array
  /** 1 second to `TICKET_MAX_SECONDS`. */
  readonly lifetimeSeconds: number
  /** 8 to 64 base64url characters, different for every ticket. */
  readonly jti: string
}

export interface SessionToken {
  readonly text: string
  readonly expiresAtSeconds: number
}

export type CredentialRefusal = 'malformed' | 'unknown-key' | 'bad-mac' | 'not-yet' | 'expired' | 'too-long'
export type CredentialVerdict =
  | { readonly kind: 'valid'; readonly claims: MemberClaims }
  | { readonly kind: 'refused'; readonly reason: CredentialRefusal }

const TICKET = { label: 'sealift ticket v1', maxSeconds: TICKET_MAX_SECONDS } as const
const SESSION = {
  label: 'sealift session token v1',
  maxSeconds: SESSION_TOKEN_MAX_SECONDS,
} as const
type Purpose = typeof TICKET | typeof SESSION

/** @throws {RangeError} when a key, a lifetime or a jti is out of its range; @throws {TypeError} when `site` is not an origin */
export function mintTicket(ticket: NewTicket, key: TicketKey, nowSeconds: number): string {
  const { site, role, swarmKey, lifetimeSeconds, jti } = ticket
  const claims = {
    kid: key.kid,
    site,
    role,
    scope: scopeOf(swarmKey),
    issuedAtSeconds: nowSeconds,
    expiresAtSeconds: nowSeconds + lifetimeSeconds,
    jti,
  }
  return `${sealClaims(claims, key, TICKET)}.${toBase64Url(swarmKey)}`
}

/**
 * A token for whoever showed a valid ticket with these claims. It never outlives the ticket and carries its jti, so that a server can
 * count the connections of one ticket. @throws {RangeError} as `mintTicket`
 */
export function mintSessionToken(member: MemberClaims, key: TicketKey, nowSeconds: number): SessionToken {
  const expiresAtSeconds = Math.min(nowSeconds + SESSION_TOKEN_MAX_SECONDS, member.expiresAtSeconds)
  return { text: sealClaims({ ...member, kid: key.kid, issuedAtSeconds: nowSeconds, expiresAtSeconds }, key, SESSION), expiresAtSeconds }
}

/**
 * Reads a ticket on its holder's side, who has no key to verify it with.
 * @throws {DeliveryError} `ticket-invalid`, and nothing else, for any text
 */
export function parseTicket(text: string): Ticket {
  const [claimsPart, mac, keyPart, ...more] = text.length > LIMITS.ticketBytes ? [] : text.split('.')
  if (claimsPart === undefined || mac === undefined || keyPart === undefined || more.length > 0) throw refuse('$', 'expected three parts')
  const claims = readClaims(claimsPart)
  const swarmKey = fromBase64Url(keyPart)
  if (swarmKey?.length !== 32 || scopeOf(swarmKey) !== claims.scope)
    throw refuse('$', 'the swarm key is not the one the ticket was made for')
  if (fromBase64Url(mac)?.length !== 32) throw refuse('$', 'expected a MAC of 32 bytes')
  return { ...claims, swarmKey, credential: `${claimsPart}.${mac}` }
}

/** The part of a ticket that a signaling server may see; a credential is returned as it is. */
export function credentialOf(ticket: string): string {
  return ticket.split('.', 2).join('.')
}

/** Checks the credential of a ticket on the server's side. Never throws. */
export function verifyTicket(credential: string, keys: readonly TicketKey[], nowSeconds: number): CredentialVerdict {
  return verify(credential, keys, nowSeconds, TICKET)
}

/** Checks a session token. A ticket is no session token, nor the other way about. Never throws. */
export function verifySessionToken(token: string, keys: readonly TicketKey[], nowSeconds: number): CredentialVerdict {
  return verify(token, keys, nowSeconds, SESSION)
}

/** The room of one artifact. Tells nobody without the key which artifact it is. */
export function swarmIdOf(swarmKey: Uint8Array, digest: Sha256): SwarmId {
  return toSwarmId(toBase64Url(macOf(swarmKey, `sealift swarm v1\0${digest}`)))
}

/** The room where peers pass on the catalogue of a repository. */
export function catalogueSwarmOf(swarmKey: Uint8Array, repository: string): SwarmId {
  return toSwarmId(toBase64Url(macOf(swarmKey, `sealift catalogue swarm v1\0${repository}`)))
}

/** The swarm key where admission is open: no secret, so it proves nothing, and rooms can be guessed from a digest. */
export function openSwarmKey(repository: string): Uint8Array {
  return sha256(utf8(`sealift open swarm v1\0${repository}`))
}

/** What a pairing code carries of its site: 4 bytes, by which members of one swarm know their own codes. */
export function pairingSiteOf(swarmKey: Uint8Array): Uint8Array {
  return macOf(swarmKey, 'sealift pairing site v1').subarray(0, 4)
}

/** Both ends of one connection as one of them saw it. The offerer is A. */
export interface PeerHandshake {
  readonly nonceA: Uint8Array
  readonly nonceB: Uint8Array
  /** DTLS certificate fingerprints, as bytes. */
  readonly fingerprintA: Uint8Array
  readonly fingerprintB: Uint8Array
}

/**
 * Proves that `role` holds the swarm key, over this very connection: whoever swaps a fingerprint in the middle cannot make it.
 * The role is inside, so one side's proof cannot be sent back as the other's.
 */
export function peerProof(swarmKey: Uint8Array, role: 'offerer' | 'answerer', handshake: PeerHandshake): Uint8Array {
  const mac = hmac.create(sha256, swarmKey).update(utf8(`sealift peer v1\0${role}\0`))
  for (const part of [handshake.nonceA, handshake.nonceB, handshake.fingerprintA, handshake.fingerprintB]) {
    if (part.length === 0 || part.length > 255) throw new RangeError(`expected 1 to 255 bytes, got ${part.length}`)
    mac.update(Uint8Array.of(part.length)).update(part)
  }
  return mac.digest()
}

/** Compares without telling by its duration where the first difference is. Lengths are no secret. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}

function sealClaims(claims: MemberClaims, key: TicketKey, purpose: Purpose): string {
  const lifetime = claims.expiresAtSeconds - claims.issuedAtSeconds
  if (key.secret.length < 32) throw new RangeError(`expected a secret of at least 32 bytes, got ${key.secret.length}`)
  if (!isKid(key.kid)) throw new RangeError('expected a kid of 1 to 32 base64url characters')
  if (!isJti(claims.jti)) throw new RangeError('expected a jti of 8 to 64 base64url characters')
  if (!(lifetime >= 1 && lifetime <= purpose.maxSeconds))
    throw new RangeError(`expected a lifetime of 1 to ${purpose.maxSeconds} s, got ${lifetime}`)
  if (!isOrigin(claims.site)) throw new TypeError(`expected an origin, got ${JSON.stringify(claims.site)}`)
  const { kid, site, role, scope, jti } = claims
  const json = JSON.stringify({
    v: 1,
    kid,
    site,
    role,
    scope,
    iat: claims.issuedAtSeconds,
    exp: claims.expiresAtSeconds,
    jti,
  })
  const part = toBase64Url(utf8(json))
  return `${part}.${toBase64Url(macOf(key.secret, `${purpose.label}\0${part}`))}`
}

function verify(text: string, keys: readonly TicketKey[], nowSeconds: number, purpose: Purpose): CredentialVerdict {
  const refused = (reason: CredentialRefusal): CredentialVerdict => ({ kind: 'refused', reason })
  const [part, mac, ...more] = text.length > LIMITS.ticketBytes ? [] : text.split('.')
  if (part === undefined || mac === undefined || more.length > 0) return refused('malformed')
  const given = fromBase64Url(mac)
  const claims = tryReadClaims(part)
  if (claims === undefined || given === undefined) return refused('malformed')
  const key = keys.find(({ kid }) => kid === claims.kid)
  if (key === undefined) return refused('unknown-key')
  if (!equalInConstantTime(macOf(key.secret, `${purpose.label}\0${part}`), given)) return refused('bad-mac')
  if (claims.expiresAtSeconds - claims.issuedAtSeconds > purpose.maxSeconds) return refused('too-long')
  if (claims.issuedAtSeconds > nowSeconds + CLOCK_SKEW_SECONDS) return refused('not-yet')
  if (claims.expiresAtSeconds <= nowSeconds) return refused('expired')
  return { kind: 'valid', claims }
}

function tryReadClaims(part: string): MemberClaims | undefined {
  try {
    return readClaims(part)
  } catch (error) {
    if (error instanceof DeliveryError) return undefined
    throw error
  }
}

const CLAIMS = ['v', 'kid', 'site', 'role', 'scope', 'iat', 'exp', 'jti'] as const

function readClaims(part: string): MemberClaims {
  const bytes = fromBase64Url(part)
  if (bytes === undefined) throw refuse('$', 'expected base64url')
  const get = openJsonText(new TextDecoder().decode(bytes), { limitBytes: LIMITS.ticketBytes, refuse }).object(CLAIMS)
  get('v').integer(1, 1)
  return {
    kid: get('kid').checked(isKid, '1 to 32 base64url characters'),
    site: get('site').checked(isOrigin, 'an origin'),
    role: get('role').oneOf(['leech', 'seed']),
    scope: get('scope').checked(isScope, '43 base64url characters'),
    issuedAtSeconds: readSeconds(get('iat')),
    expiresAtSeconds: readSeconds(get('exp')),
    jti: get('jti').checked(isJti, '8 to 64 base64url characters'),
  }
}

function readSeconds(field: JsonField): number {
  return field.integer(0, 2 ** 40)
}

function scopeOf(swarmKey: Uint8Array): string {
  if (swarmKey.length !== 32) throw new RangeError(`expected a swarm key of 32 bytes, got ${swarmKey.length}`)
  return toBase64Url(macOf(swarmKey, 'sealift swarm scope v1'))
}

function macOf(key: Uint8Array, message: string): Uint8Array {
  return hmac(sha256, key, utf8(message))
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Names a key: 1 to 32 characters of `A-Z a-z 0-9 _ -`. */
export function isKid(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,32}$/.test(value)
}

function isJti(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{8,64}$/.test(value)
}

function isScope(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value)
}

function isOrigin(value: unknown): value is string {
  return (
    typeof value === 'string' && value.length <= 300 && /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value
  )
}

function refuse(path: string, detail: string): DeliveryError {
  return new DeliveryError({
    code: 'ticket-invalid',
    detail: path === '$' ? detail : `${path}: ${detail}`,
  })
}
