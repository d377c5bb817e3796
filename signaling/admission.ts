import {
  mintSessionToken,
  verifySessionToken,
  verifyTicket,
  type CredentialRefusal,
  type HelloSignal,
  type MemberClaims,
  type PeerRole,
  type TicketKey,
} from 'sealift/protocol'

/**
 * `ticket`: members only. `open`: whoever comes from a listed origin; for sites that have no logins to mint tickets behind.
 * Two keys may live at once, so that one can be replaced while tickets of the other are still out; the first signs session tokens.
 */
export type AdmissionMode = { readonly kind: 'ticket'; readonly keys: readonly [TicketKey, ...TicketKey[]] } | { readonly kind: 'open' }

/** What a connection may do, and for how long. */
export interface Grant {
  /** Rooms of different scopes never meet, whatever their names. */
  readonly scope: string
  readonly role: PeerRole
  /** Whose ticket it was; undefined where admission is open. */
  readonly ticketId: string | undefined
  /** Unix time; undefined: until it goes. */
  readonly expiresAtSeconds: number | undefined
  /** A fresh session token, where a ticket was shown. */
  readonly token: string | undefined
  readonly tokenExpiresAtSeconds: number | undefined
}

export type AdmissionRefusal = CredentialRefusal | 'missing' | 'origin'
export type AdmissionVerdict =
  | { readonly kind: 'admitted'; readonly grant: Grant }
  | { readonly kind: 'refused'; readonly reason: AdmissionRefusal }

/** The only place that says who may join a swarm. */
export interface Admission {
  /** Before the upgrade. @param origin the `Origin` header; undefined when there is none */
  allowsOrigin(origin: string | undefined): boolean
  /** Judges a `hello`. A valid ticket wins over a token, since it lasts longer and earns a new token. Never throws. */
  judge(hello: HelloSignal, origin: string | undefined, nowSeconds: number): AdmissionVerdict
}

const OPEN: Grant = {
  scope: 'open',
  role: 'seed',
  ticketId: undefined,
  expiresAtSeconds: undefined,
  token: undefined,
  tokenExpiresAtSeconds: undefined,
}

/**
 * @param origins exact origins, as browsers send them; an origin that is none of these never gets a socket
 * @throws {TypeError} when an entry is not an origin; @throws {RangeError} when two keys share a kid or a secret is too short
 */
export function createAdmission(mode: AdmissionMode, origins: readonly string[]): Admission {
  for (const origin of origins)
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) throw new TypeError(`expected an origin, got ${origin}`)
  if (mode.kind === 'ticket') requireKeys(mode.keys)
  const allowed = new Set(origins)
  return {
    // Without the header it is no browser. Such a client can send any origin it likes, so only a ticket makes a difference.
    allowsOrigin: (origin) => (origin === undefined ? mode.kind === 'ticket' : allowed.has(origin)),
    judge(hello, origin, nowSeconds) {
      if (mode.kind === 'open') return { kind: 'admitted', grant: OPEN }
      const fits = (claims: MemberClaims): boolean => allowed.has(claims.site) && (origin === undefined || origin === claims.site)
      return judgeMember(hello, { keys: mode.keys, fits, nowSeconds })
    },
  }
}

interface MemberRules {
  readonly keys: readonly [TicketKey, ...TicketKey[]]
  readonly fits: (claims: MemberClaims) => boolean
  readonly nowSeconds: number
}

function judgeMember(hello: HelloSignal, rules: MemberRules): AdmissionVerdict {
  const { keys, fits, nowSeconds } = rules
  let reason: AdmissionRefusal = 'missing'
  if (hello.ticket !== undefined) {
    const verdict = verifyTicket(hello.ticket, keys, nowSeconds)
    if (verdict.kind === 'valid' && fits(verdict.claims)) return { kind: 'admitted', grant: ticketGrant(verdict.claims, rules) }
    reason = verdict.kind === 'valid' ? 'origin' : verdict.reason
  }
  if (hello.token !== undefined) {
    const verdict = verifySessionToken(hello.token, keys, nowSeconds)
    if (verdict.kind === 'valid' && fits(verdict.claims)) return { kind: 'admitted', grant: tokenGrant(verdict.claims) }
    reason = verdict.kind === 'valid' ? 'origin' : verdict.reason
  }
  return { kind: 'refused', reason }
}

function ticketGrant(claims: MemberClaims, rules: MemberRules): Grant {
  const token = mintSessionToken(claims, rules.keys[0], rules.nowSeconds)
  return { ...grantOf(claims), token: token.text, tokenExpiresAtSeconds: token.expiresAtSeconds }
}

/** A token begets no token: else a stolen one would live for ever. */
function tokenGrant(claims: MemberClaims): Grant {
  return { ...grantOf(claims), token: undefined, tokenExpiresAtSeconds: claims.expiresAtSeconds }
}

function grantOf(claims: MemberClaims) {
  return { scope: claims.scope, role: claims.role, ticketId: claims.jti, expiresAtSeconds: claims.expiresAtSeconds }
}

function requireKeys(keys: readonly TicketKey[]): void {
  if (new Set(keys.map(({ kid }) => kid)).size !== keys.length) throw new RangeError('expected every kid once')
  for (const { kid, secret } of keys)
    if (secret.length < 32) throw new RangeError(`expected at least 32 secret bytes for ${kid}, got ${secret.length}`)
}
