import { isPeerId, isSwarmId, parseServerSignal, type PeerId, type PeerRole, type ServerSignal, type SwarmId } from 'sealift/protocol'

/** A seat of another process, as that process knows it. Addresses come hashed. */
export interface SharedSeat {
  readonly scope: string
  readonly swarm: SwarmId
  readonly id: PeerId
  readonly role: PeerRole
  readonly lanKey: string
  readonly addressKey: string
  /** Who was told of it, or it of them. */
  readonly told: readonly PeerId[]
}

export type SigSignal = Extract<ServerSignal, { readonly type: 'sig' }>

/** What processes that share rooms tell each other. `from` is a process; `n` counts what it has said of its seats. */
export type NeighbourMessage = { readonly from: string } & (
  | { readonly type: 'beat'; readonly n: number }
  /** Tell me all of your seats. */
  | { readonly type: 'ask' }
  /** All of them in several parts, as they are after `n`. */
  | {
      readonly type: 'seats'
      readonly n: number
      readonly isFirst: boolean
      readonly isLast: boolean
      readonly seats: readonly SharedSeat[]
    }
  | { readonly type: 'seat'; readonly n: number; readonly seat: SharedSeat }
  | { readonly type: 'left'; readonly n: number; readonly swarm: SwarmId; readonly id: PeerId }
  /** It ends, and its members with it. */
  | { readonly type: 'gone' }
  | { readonly type: 'sig'; readonly to: PeerId; readonly signal: SigSignal }
)

/** Seats of one part. */
export const SEATS_PER_PART = 256
const PROCESS = /^[A-Za-z0-9_-]{16,64}$/
const KEY = /^[A-Za-z0-9_-]{1,64}$/
const SCOPE_CHARACTERS = 256
const MOST_TOLD = 10_000

export function encodeNeighbourMessage(message: NeighbourMessage): string {
  return JSON.stringify(message)
}

/** Undefined for whatever is no such message: others may use the same Redis. */
export function parseNeighbourMessage(text: string): NeighbourMessage | undefined {
  try {
    return read(JSON.parse(text))
  } catch {
    // No JSON, or no signal in it. Who sent it cannot be told.
    return undefined
  }
}

function read(value: unknown): NeighbourMessage | undefined {
  if (!isRecord(value) || typeof value['from'] !== 'string' || !PROCESS.test(value['from'])) return undefined
  const { from, type, n } = value
  if (type === 'ask' || type === 'gone') return { from, type }
  if (type === 'sig') return readSig(from, value)
  return isCount(n) ? readCounted({ from, n }, value) : undefined
}

interface Head {
  readonly from: string
  readonly n: number
}

function readCounted(head: Head, { type, swarm, id, seat, ...rest }: Members): NeighbourMessage | undefined {
  switch (type) {
    case 'beat':
      return { ...head, type }
    case 'left':
      return isSwarmId(swarm) && isPeerId(id) ? { ...head, type, swarm, id } : undefined
    case 'seat': {
      const read = readSeat(seat)
      return read && { ...head, type, seat: read }
    }
    case 'seats':
      return readSeats(head, rest)
    default:
      return undefined
  }
}

/** Read as a client reads it: what other processes pass on is checked like what comes from a socket. */
function readSig(from: string, { to, signal }: Members): NeighbourMessage | undefined {
  const parsed = parseServerSignal(JSON.stringify(signal))
  return isPeerId(to) && parsed.type === 'sig' ? { from, type: 'sig', to, signal: parsed } : undefined
}

function readSeats(head: Head, { isFirst, isLast, seats }: Members): NeighbourMessage | undefined {
  if (typeof isFirst !== 'boolean' || typeof isLast !== 'boolean') return undefined
  if (!Array.isArray(seats) || seats.length > SEATS_PER_PART) return undefined
  const read = seats.map(readSeat).filter((seat) => seat !== undefined)
  return read.length === seats.length ? { ...head, type: 'seats', isFirst, isLast, seats: read } : undefined
}

function readSeat(value: unknown): SharedSeat | undefined {
  if (!isRecord(value)) return undefined
  const { scope, swarm, id, role, lanKey, addressKey, told } = value
  if (!isScope(scope) || !isSwarmId(swarm) || !isPeerId(id) || !isRole(role)) return undefined
  return isKey(lanKey) && isKey(addressKey) && isTold(told) ? { scope, swarm, id, role, lanKey, addressKey, told } : undefined
}

function isScope(value: unknown): value is string {
  return typeof value === 'string' && value.length <= SCOPE_CHARACTERS
}

function isRole(value: unknown): value is PeerRole {
  return value === 'leech' || value === 'seed'
}

function isTold(value: unknown): value is readonly PeerId[] {
  return Array.isArray(value) && value.length <= MOST_TOLD && value.every(isPeerId)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isKey(value: unknown): value is string {
  return typeof value === 'string' && KEY.test(value)
}

type Members = Readonly<Record<string, unknown>>

function isRecord(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
