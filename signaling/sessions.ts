import {
  CLOSE_CODES,
  equalInConstantTime,
  isPeerId,
  toPeerId,
  type ClientSignal,
  type Clock,
  type HelloSignal,
  type PeerId,
  type RoomWish,
  type ServerSignal,
  type SignalErrorCode,
  type SwarmId,
} from 'sealift/protocol'
import { Agenda, type Due } from './agenda.ts'
import type { Admission, Grant } from './admission.ts'
import type { Connection } from './connection.ts'
import type { Counters } from './counters.ts'
import { countJoin, joinRulesOf, type JoinPace, type JoinRules } from './join-pace.ts'
import type { SignalingLimits } from './limits.ts'
import type { Member, Seat } from './room.ts'
import type { Rooms } from './rooms.ts'
import type { IceFor } from './turn.ts'

export interface SessionsOptions {
  readonly admission: Admission
  readonly rooms: Rooms
  readonly limits: SignalingLimits
  readonly clock: Clock
  readonly counters: Counters
  readonly iceFor: IceFor
  /** Unguessable base64url characters for ids and resume keys. */
  readonly randomKey: (bytes: number) => string
}

/** Who was let in, by which connection they speak now, and what they ask for. */
export interface Sessions {
  readonly size: number
  handle(connection: Connection, signal: ClientSignal): void
  /** For somebody who is connected here, from a member of another process. */
  passOn(to: PeerId, signal: Extract<ServerSignal, { type: 'sig' }>): void
  /** Tells the rooms at once. Does nothing for a connection that was taken over or never let in. */
  end(connection: Connection): void
  /** Closes those whose ticket or token has run out. */
  sweep(): void
}

const ID_BYTES = 12
/** Base64url. */
const ID_CHARACTERS = (ID_BYTES / 3) * 4
const SECRET_BYTES = 24
const NO_JOINS: readonly JoinPace[] = []

/** A class, for there is one for each connection: getters of an object literal would be made anew for each. */
class Session implements Member, Due {
  readonly id: PeerId
  connection: Connection
  grant: Grant
  /** Its id and a secret: whoever knows it may take over. */
  resume: string
  seats: readonly Seat[] = []
  slot: number | undefined = undefined
  place: number | undefined = undefined
  /** Survives leaving and coming back, since joining and leaving in turn is what it is there for. */
  joins: readonly JoinPace[] = NO_JOINS

  constructor(resume: string, connection: Connection, grant: Grant) {
    this.id = toPeerId(resume.slice(0, ID_CHARACTERS))
    this.resume = resume
    this.connection = connection
    this.grant = grant
  }

  /** It never changes: another grant of another scope is refused. */
  get scope(): string {
    return this.grant.scope
  }

  get addressKey(): string {
    return this.connection.address.houseKey
  }

  get lanKey(): string {
    return this.connection.address.lanKey
  }

  send(signal: ServerSignal): void {
    this.connection.send(signal)
  }
}

export function createSessions(options: SessionsOptions): Sessions {
  return new MemorySessions(options)
}

class MemorySessions implements Sessions {
  readonly #options: SessionsOptions
  readonly #joinRules: JoinRules
  readonly #byId = new Map<PeerId, Session>()
  /** Those who were let in for a time. */
  readonly #expiring: Agenda<Session>
  readonly #countByTicket = new Map<string, number>()

  constructor(options: SessionsOptions) {
    this.#options = options
    this.#joinRules = joinRulesOf(options.limits)
    this.#expiring = new Agenda(options.limits.sweepIntervalMs)
  }

  get size(): number {
    return this.#byId.size
  }

  handle(connection: Connection, signal: ClientSignal): void {
    const session = sessionOf(connection)
    if (signal.type === 'hello') return this.#hello(connection, signal, session)
    if (session === undefined) return connection.fail('hello-expected', CLOSE_CODES.admission)
    const { rooms } = this.#options
    switch (signal.type) {
      case 'join':
        return this.#answer(connection, signal.swarm, this.#join(session, signal))
      case 'leave':
        return rooms.leave(session, signal.swarm)
      case 'sig':
        return this.#answer(connection, signal.swarm, this.#relay(session, signal))
      case 'report':
        return this.#answer(connection, signal.swarm, this.#report(session, signal))
      case 'bye':
        return connection.close(1000, 'bye')
    }
  }

  passOn(to: PeerId, signal: Extract<ServerSignal, { type: 'sig' }>): void {
    const session = this.#byId.get(to)
    if (session === undefined || this.#options.rooms.roleOf(session, signal.swarm) === undefined) return
    session.send(signal)
  }

  end(connection: Connection): void {
    const session = sessionOf(connection)
    if (session === undefined) return
    connection.speaker = undefined
    this.#byId.delete(session.id)
    this.#expiring.delete(session)
    this.#countTicket(session.grant.ticketId, -1)
    this.#options.rooms.leaveAll(session)
  }

  sweep(): void {
    const nowMs = this.#options.clock.nowMs()
    this.#expiring.sweep(nowMs, ({ connection, grant }) => {
      if (endOf(grant) <= nowMs) connection.fail('admission-expired', CLOSE_CODES.admission)
      return endOf(grant)
    })
  }

  #hello(connection: Connection, hello: HelloSignal, session: Session | undefined): void {
    const { admission, counters } = this.#options
    const verdict = admission.judge(hello, connection.origin, this.#nowSeconds())
    counters.add('admissions_total', verdict.kind === 'admitted' ? 'admitted' : verdict.reason)
    if (verdict.kind === 'refused') {
      return connection.fail(verdict.reason === 'expired' ? 'admission-expired' : 'admission-refused', CLOSE_CODES.admission)
    }
    const { grant } = verdict
    if (session !== undefined) return this.#renew(connection, session, grant)
    const dead = this.#resumed(hello)
    if (dead?.scope === grant.scope) {
      this.#takeOver(connection, dead, grant)
      return this.#joinAll(dead, hello)
    }
    if (this.#ticketCount(grant.ticketId) >= this.#options.limits.connectionsPerTicket) {
      counters.add('admissions_total', 'ticket-busy')
      return connection.fail('admission-refused', CLOSE_CODES.admission)
    }
    this.#joinAll(this.#admit(connection, grant), hello)
  }

  #joinAll(session: Session, { rooms }: HelloSignal): void {
    for (const wish of rooms) {
      // A slow reader may have been cut while it was told of the room before.
      if (session.connection.speaker === session) this.#answer(session.connection, wish.swarm, this.#join(session, wish))
    }
  }

  #admit(connection: Connection, grant: Grant): Session {
    const session = new Session(this.#options.randomKey(ID_BYTES + SECRET_BYTES), connection, grant)
    connection.speaker = session
    this.#byId.set(session.id, session)
    this.#countTicket(grant.ticketId, 1)
    this.#watch(session)
    this.#welcome(session)
    return session
  }

  /** Whose resume key this is: an id, and the secret that goes with it. */
  #resumed({ resume = '' }: HelloSignal): Session | undefined {
    const id = resume.slice(0, ID_CHARACTERS)
    const session = isPeerId(id) ? this.#byId.get(id) : undefined
    return session !== undefined && equalInConstantTime(Buffer.from(resume), Buffer.from(session.resume)) ? session : undefined
  }

  /** A connection may show its ticket again before what let it in runs out. It cannot become somebody else that way. */
  #renew(connection: Connection, session: Session, grant: Grant): void {
    if (session.scope !== grant.scope) return connection.fail('admission-refused', CLOSE_CODES.admission)
    this.#setGrant(session, grant)
    this.#welcome(session)
  }

  /** The old socket is dead, though nobody told us yet. Its rooms do not notice. */
  #takeOver(connection: Connection, session: Session, grant: Grant): void {
    const old = session.connection
    old.speaker = undefined
    session.connection = connection
    connection.speaker = session
    this.#setGrant(session, grant)
    this.#options.rooms.moved(session)
    old.fail('replaced', CLOSE_CODES.replaced)
    this.#options.counters.add('takeovers_total')
    this.#welcome(session)
  }

  #welcome(session: Session): void {
    const nowSeconds = this.#nowSeconds()
    session.connection.admit()
    const { token, tokenExpiresAtSeconds } = session.grant
    session.send({
      type: 'welcome',
      id: session.id,
      resume: session.resume,
      token,
      tokenExpiresAtSeconds,
      ice: this.#options.iceFor(session.id, nowSeconds),
      serverTime: nowSeconds,
    })
  }

  #join(session: Session, signal: RoomWish): SignalErrorCode | undefined {
    if (signal.role === 'seed' && session.grant.role !== 'seed') return 'role-refused'
    const { rooms, clock } = this.#options
    // Nobody else hears of it when nothing changes.
    const isHeard = rooms.roleOf(session, signal.swarm) !== signal.role
    if (isHeard) {
      const joins = countJoin(session.joins, rooms.nameOf(session, signal.swarm), clock.monotonicMs(), this.#joinRules)
      if (joins === undefined) return 'rate-limited'
      session.joins = joins
    }
    return rooms.join(session, signal.swarm, signal.role)
  }

  /** Counted, so that an operator sees them, and nothing more: whoever could put others out by complaining would put out the honest. */
  #report(session: Session, signal: Extract<ClientSignal, { type: 'report' }>): SignalErrorCode | undefined {
    if (this.#options.rooms.roleOf(session, signal.swarm) === undefined) return 'not-in-room'
    this.#options.counters.add('reports_total', signal.reason)
    return undefined
  }

  /** The sender's name is the server's knowledge: whatever the message claims is not even read. */
  #relay(session: Session, signal: Extract<ClientSignal, { type: 'sig' }>): SignalErrorCode | undefined {
    const { to, ...rest } = signal
    const refusal = this.#options.rooms.relay(session, to, { ...rest, from: session.id })
    if (refusal === undefined) this.#options.counters.add('relayed_total')
    return refusal
  }

  #answer(connection: Connection, swarm: SwarmId, refusal: SignalErrorCode | undefined): void {
    if (refusal === undefined) return
    this.#options.counters.add('messages_refused_total', refusal)
    connection.send({ type: 'error', code: refusal, fatal: false, swarm })
  }

  #ticketCount(ticketId: string | undefined): number {
    return ticketId === undefined ? 0 : (this.#countByTicket.get(ticketId) ?? 0)
  }

  #countTicket(ticketId: string | undefined, by: 1 | -1): void {
    if (ticketId === undefined) return
    const count = this.#ticketCount(ticketId) + by
    if (count === 0) this.#countByTicket.delete(ticketId)
    else this.#countByTicket.set(ticketId, count)
  }

  #setGrant(session: Session, grant: Grant): void {
    this.#countTicket(session.grant.ticketId, -1)
    this.#countTicket(grant.ticketId, 1)
    session.grant = grant
    // What was said to an earlier connection opens nothing any more.
    session.resume = `${session.id}${this.#options.randomKey(SECRET_BYTES)}`
    this.#watch(session)
  }

  #watch(session: Session): void {
    const endMs = endOf(session.grant)
    if (Number.isFinite(endMs)) this.#expiring.set(session, endMs)
    else this.#expiring.delete(session)
  }

  #nowSeconds(): number {
    return Math.floor(this.#options.clock.nowMs() / 1000)
  }
}

/** Unix time in milliseconds. */
function endOf({ expiresAtSeconds = Number.POSITIVE_INFINITY }: Grant): number {
  return expiresAtSeconds * 1000
}

function sessionOf({ speaker }: Connection): Session | undefined {
  return speaker instanceof Session ? speaker : undefined
}
