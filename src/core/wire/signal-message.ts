/** What goes over the one WebSocket to a signaling server: JSON, one object per message. Described in docs/signaling-protocol.md. */

import { DeliveryError } from '../errors.ts'
import { openJsonText } from '../json/json.ts'
import type { JsonField, MemberReader } from '../json/json-field.ts'
import { LIMITS } from '../limits.ts'
import { isPeerId, isSwarmId, type PeerId, type SwarmId } from '../model/ids.ts'

export const SIGNALING_VERSION = 1
/** Rooms that one connection may be in. Not among the limits that every script carries. */
export const ROOMS_PER_CONNECTION = 16

/** What a peer does in a swarm. A seed has the whole artifact. */
export type PeerRole = 'leech' | 'seed'

/** What a browser calls a session description: these two fields, and never another. */
export interface SessionDescription {
  readonly type: 'offer' | 'answer'
  readonly sdp: string
}

/** One ICE candidate. An empty `candidate` ends the list (Firefox says so that way). */
export interface IceCandidate {
  readonly candidate: string
  readonly sdpMid: string | null
  readonly sdpMLineIndex: number | null
}

/** What two peers tell each other while they connect. `end`: the sender has given this attempt up. */
export type Negotiation =
  | { readonly kind: 'offer' | 'answer'; readonly sdp: SessionDescription }
  | { readonly kind: 'candidate'; readonly candidate: IceCandidate }
  | { readonly kind: 'end' }

/** A peer as the server introduces it. `lan`: the server sees both in one network; a hint, not a fact. */
export interface PeerInfo {
  readonly id: PeerId
  readonly role: PeerRole
  readonly lan: boolean
}

export type ReportReason = (typeof REPORT_REASONS)[number]
export type SignalErrorCode = (typeof ERROR_CODES)[number]

export interface IceServer {
  readonly urls: string
  readonly username: string | undefined
  readonly credential: string | undefined
}

/** The first message of a connection, and again to renew what it was admitted by. */
export interface HelloSignal {
  readonly type: 'hello'
  readonly v: typeof SIGNALING_VERSION
  /** A session token from an earlier `welcome`. */
  readonly token: string | undefined
  /** The membership ticket. Its swarm key is cut off before it is sent: the server has no business with it. */
  readonly ticket: string | undefined
  /** From an earlier `welcome`: takes over the id and the rooms of a connection that the server still believes alive. */
  readonly resume: string | undefined
  /** Joined as soon as the connection is let in, each as by a `join`. */
  readonly rooms: readonly RoomWish[]
}

export interface RoomWish {
  readonly swarm: SwarmId
  readonly role: PeerRole
}

/** `sid` names one attempt to connect, so that a late answer cannot meet a new offer. */
export type SigBody = {
  readonly type: 'sig'
  readonly swarm: SwarmId
  readonly sid: string
} & Negotiation

export type ClientSignal =
  | HelloSignal
  | ({ readonly type: 'join' } & RoomWish)
  | { readonly type: 'leave'; readonly swarm: SwarmId }
  | (SigBody & { readonly to: PeerId })
  | {
      readonly type: 'report'
      readonly peer: PeerId
      readonly swarm: SwarmId
      readonly reason: ReportReason
    }
  | { readonly type: 'bye' }

export interface WelcomeSignal {
  readonly type: 'welcome'
  /** This connection's id, made by the server. */
  readonly id: PeerId
  readonly resume: string
  /** A fresh session token, where a ticket was shown. */
  readonly token: string | undefined
  /** Unix time by the server's clock; undefined where admission is open. */
  readonly tokenExpiresAtSeconds: number | undefined
  readonly ice: readonly IceServer[]
  /** Unix time in seconds, by the server's clock. */
  readonly serverTime: number
}

export type ServerSignal =
  | WelcomeSignal
  /** Answers `join`. The newcomer offers to each of these; nobody offers to a newcomer. */
  | { readonly type: 'peers'; readonly swarm: SwarmId; readonly peers: readonly PeerInfo[] }
  | { readonly type: 'peer-left'; readonly swarm: SwarmId; readonly id: PeerId }
  | (SigBody & { readonly from: PeerId })
  /** `fatal`: the server closes right after. `swarm`: the room it is about, if one. */
  | {
      readonly type: 'error'
      readonly code: SignalErrorCode
      readonly fatal: boolean
      readonly swarm: SwarmId | undefined
    }
  /** The server is about to go. Connect again after `retryMs`. */
  | { readonly type: 'drain'; readonly retryMs: number }

/** Why a peer is complained about. */
export const REPORT_REASONS = ['bad-piece', 'protocol', 'proof'] as const

/** What the server may say no with. */
export const ERROR_CODES = [
  'bad-message',
  'hello-expected',
  'admission-refused',
  'admission-expired',
  'rate-limited',
  'room-full',
  'too-many-rooms',
  'not-in-room',
  'role-refused',
  'replaced',
] as const

/** Close codes of the server's own making (RFC 6455 section 7.4.2 leaves 4000 to 4999 to the application). */
export const CLOSE_CODES = {
  badMessage: 4400,
  admission: 4401,
  replaced: 4409,
  tooFast: 4429,
} as const

const ROLES = ['leech', 'seed'] as const
const CLIENT_TYPES = ['hello', 'join', 'leave', 'sig', 'report', 'bye'] as const
const SERVER_TYPES = ['welcome', 'peers', 'peer-left', 'sig', 'error', 'drain'] as const
const KINDS = ['offer', 'answer', 'candidate', 'end'] as const
const MAX_SECONDS = 2 ** 40
const MAX_RETRY_MS = 3_600_000

const RULES = { limitBytes: LIMITS.signalBytes, refuse: refuseSignal }

const SIG = ['type', 'swarm', 'sid', 'kind', 'sdp', 'candidate'] as const
const CLIENT = [...SIG, 'to', 'v', 'token', 'ticket', 'resume', 'rooms', 'role', 'peer', 'reason'] as const
const WELCOME = ['type', 'id', 'resume', 'token', 'tokenExpiresAtSeconds', 'ice', 'serverTime'] as const
const SERVER = [...SIG, ...WELCOME, 'from', 'peers', 'code', 'fatal', 'retryMs'] as const

type SigReader = MemberReader<(typeof SIG)[number]>
type ClientReader = MemberReader<(typeof CLIENT)[number]>
type ServerReader = MemberReader<(typeof SERVER)[number]>

/** @throws {DeliveryError} `signal-invalid`, and nothing else, for any text */
export function parseClientSignal(text: string): ClientSignal {
  const get = openJsonText(text, RULES).object(CLIENT)
  const type = get('type').oneOf(CLIENT_TYPES)
  switch (type) {
    case 'hello':
      return readHello(get)
    case 'join':
      return { type, ...readWish(get) }
    case 'leave':
      return { type, swarm: readSwarm(get('swarm')) }
    case 'sig':
      return { ...readSig(get), to: readPeerId(get('to')) }
    case 'report':
      return { type, peer: readPeerId(get('peer')), swarm: readSwarm(get('swarm')), reason: get('reason').oneOf(REPORT_REASONS) }
    case 'bye':
      return { type }
  }
}

/** @throws {DeliveryError} `signal-invalid`, and nothing else, for any text */
export function parseServerSignal(text: string): ServerSignal {
  const get = openJsonText(text, RULES).object(SERVER)
  const type = get('type').oneOf(SERVER_TYPES)
  switch (type) {
    case 'welcome':
      return readWelcome(get)
    case 'peers':
      return { type, swarm: readSwarm(get('swarm')), peers: get('peers').list(LIMITS.peersPerSignal).map(readPeer) }
    case 'peer-left':
      return { type, swarm: readSwarm(get('swarm')), id: readPeerId(get('id')) }
    case 'sig':
      return { ...readSig(get), from: readPeerId(get('from')) }
    case 'error': {
      const swarm = unlessLeftOut(get('swarm'), readSwarm)
      return { type, code: get('code').oneOf(ERROR_CODES), fatal: get('fatal').boolean(), swarm }
    }
    case 'drain':
      return { type, retryMs: get('retryMs').integer(0, MAX_RETRY_MS) }
  }
}

function readHello(get: ClientReader): HelloSignal {
  if (get('v').integer(0) !== SIGNALING_VERSION) throw get('v').unsupported(`expected ${SIGNALING_VERSION}`)
  return {
    type: 'hello',
    v: SIGNALING_VERSION,
    token: unlessLeftOut(get('token'), readCredential),
    ticket: unlessLeftOut(get('ticket'), readCredential),
    resume: unlessLeftOut(get('resume'), readShortKey),
    rooms: unlessLeftOut(get('rooms'), readWishes) ?? [],
  }
}

function readWishes(field: JsonField): readonly RoomWish[] {
  return field.list(ROOMS_PER_CONNECTION).map((item) => readWish(item.object(['swarm', 'role'])))
}

function readWish(get: MemberReader<'swarm' | 'role'>): RoomWish {
  return { swarm: readSwarm(get('swarm')), role: get('role').oneOf(ROLES) }
}

function readWelcome(get: ServerReader): WelcomeSignal {
  return {
    type: 'welcome',
    id: readPeerId(get('id')),
    resume: readShortKey(get('resume')),
    token: unlessLeftOut(get('token'), readCredential),
    tokenExpiresAtSeconds: unlessLeftOut(get('tokenExpiresAtSeconds'), readSeconds),
    ice: get('ice').list(LIMITS.iceServers).map(readIceServer),
    serverTime: readSeconds(get('serverTime')),
  }
}

function readIceServer(field: JsonField): IceServer {
  const get = field.object(['urls', 'username', 'credential'])
  return {
    urls: get('urls').checked(isIceUrl, 'a URL that starts with stun: or turn:'),
    username: unlessLeftOut(get('username'), readIceSecret),
    credential: unlessLeftOut(get('credential'), readIceSecret),
  }
}

function readPeer(field: JsonField): PeerInfo {
  const get = field.object(['id', 'role', 'lan'])
  return { id: readPeerId(get('id')), role: get('role').oneOf(ROLES), lan: get('lan').boolean() }
}

function readSig(get: SigReader): SigBody {
  const head = { type: 'sig', swarm: readSwarm(get('swarm')), sid: readShortKey(get('sid')) } as const
  const kind = get('kind').oneOf(KINDS)
  if (kind === 'end') return { ...head, kind }
  if (kind === 'candidate') return { ...head, kind, candidate: readCandidate(get('candidate')) }
  const sdp = get('sdp').object(['type', 'sdp'])
  return { ...head, kind, sdp: { type: sdp('type').oneOf([kind]), sdp: sdp('sdp').textOfBytes(LIMITS.sdpBytes) } }
}

function readCandidate(field: JsonField): IceCandidate {
  const get = field.object(['candidate', 'sdpMid', 'sdpMLineIndex'])
  return {
    candidate: get('candidate').textOfBytes(LIMITS.candidateBytes),
    sdpMid: get('sdpMid').optional((item) => item.textOfBytes(32)) ?? null,
    sdpMLineIndex: get('sdpMLineIndex').optional((item) => item.integer(0, 255)) ?? null,
  }
}

/** Undefined when it is not there. `null` is not the same here: whoever has no token sends none. */
function unlessLeftOut<T>(field: JsonField, read: (field: JsonField) => T): T | undefined {
  return field.peek() === undefined ? undefined : read(field)
}

function readSwarm(field: JsonField): SwarmId {
  return field.checked(isSwarmId, 'a swarm id')
}

function readPeerId(field: JsonField): PeerId {
  return field.checked(isPeerId, 'a peer id')
}

function readCredential(field: JsonField): string {
  return field.checked(isCredential, 'a ticket without its key, or a token')
}

function readShortKey(field: JsonField): string {
  return field.checked(isShortKey, '1 to 64 base64url characters')
}

function readIceSecret(field: JsonField): string {
  return field.textOfBytes(512)
}

function readSeconds(field: JsonField): number {
  return field.integer(0, MAX_SECONDS)
}

function isCredential(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LIMITS.ticketBytes && /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/.test(value)
}

function isShortKey(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value)
}

function isIceUrl(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 512 && /^(?:stun|stuns|turn|turns):[\x21-\x7e]+$/.test(value)
}

/** The one way in which a signal is wrong. */
export function refuseSignal(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'signal-invalid', path, detail })
}
