/** Introduces two browsers without any server: people carry one code there, and one back. */

import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import { toPeerId, type SourceId, type SwarmId } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import { toBase64Url } from '../../core/base64.ts'
import { addressOfCandidate, candidateOfAddress, type PairingAddress } from '../../core/wire/pairing-address.ts'
import {
  decodePairingCode,
  encodePairingCode,
  PAIRING_ADDRESSES,
  refusePairing,
  requirePairing,
  type PairingCode,
  type PairingSide,
} from '../../core/wire/pairing-code.ts'
import { readDescription, writeDescription } from '../../core/wire/pairing-description.ts'
import { pairingSiteOf } from '../../core/wire/ticket.ts'
import type { Introducer, Introduction } from './introduction.ts'
import type { PeerBook } from './peer-book.ts'
import { createSettled, withDeadline } from './wait.ts'

/** From the first code until the browsers are connected: people walk from one to the other. */
export const PAIRING_SECONDS = 600
/** A browser that has not named all of its addresses by then names those it has. */
const GATHER_MS = 3000
/** Once both codes are known, the network needs no longer. */
const CONNECT_MS = 15_000

/** The first code. */
export interface PairingOffer {
  /** For the other browser: at most `PAIRING_CODE_CHARACTERS` capitals and digits. */
  readonly code: string
  readonly expiresAtSeconds: number
  /**
   * Takes the code that the other browser made of this one. A code that does not fit may be followed by one that does.
   * @returns the peer, once it has proven its membership
   * @throws {DeliveryError} `pairing-refused`, `peer-timeout`, `peer-closed`, `peer-proof`
   */
  accept(answer: string): Promise<SourceId>
}

/** The second code, made of the first. */
export interface PairingAnswer {
  readonly code: string
  readonly expiresAtSeconds: number
  /** The peer, once the first browser has taken this code and both have proven their membership. Rejects as `PairingOffer.accept`. */
  readonly connected: Promise<SourceId>
}

export interface PairingRoom {
  readonly book: PeerBook
  readonly swarmKey: Uint8Array
  readonly swarm: SwarmId
  readonly clock: Clock
  readonly randomBytes: (length: number) => Uint8Array
}

/** @throws {DeliveryError} `pairing-refused` with reason `no-address`; the reason of the signal, which also ends what was begun */
export async function offerPairing(room: PairingRoom, signal: AbortSignal): Promise<PairingOffer> {
  const pairing = room.randomBytes(6)
  const expiresAtSeconds = nowSeconds(room.clock) + PAIRING_SECONDS
  const attempt = begin(room, { isInitiator: true, lifeMs: PAIRING_SECONDS * 1000 }, signal)
  const facts = await orEnd(attempt, attempt.gathered(signal))
  const code = encodePairingCode({ ...facts, side: 'offer', site: pairingSiteOf(room.swarmKey), pairing, expiresAtSeconds })
  return {
    code,
    expiresAtSeconds,
    async accept(text) {
      signal.throwIfAborted()
      const answer = readCode(room, text, { side: 'answer', pairing })
      attempt.describe(answer)
      attempt.knock(answer)
      return await orEnd(attempt, attempt.connected(CONNECT_MS))
    },
  }
}

/**
 * Makes the second code. This browser then waits to be reached, for minutes: ICE that knocks where nothing answers ends the attempt before
 * anybody has carried the code. @throws {DeliveryError} `pairing-refused`; the reason of the signal
 */
export async function answerPairing(room: PairingRoom, text: string, signal: AbortSignal): Promise<PairingAnswer> {
  const offer = readCode(room, text, { side: 'offer', pairing: undefined })
  const lifeMs = Math.min(offer.expiresAtSeconds - nowSeconds(room.clock), PAIRING_SECONDS) * 1000
  const attempt = begin(room, { isInitiator: false, lifeMs }, signal)
  attempt.describe(offer)
  const facts = await orEnd(attempt, attempt.gathered(signal))
  if (attempt.isHasty()) attempt.knock(offer)
  const { site, pairing, expiresAtSeconds } = offer
  const code = encodePairingCode({ ...facts, side: 'answer', site, pairing, expiresAtSeconds })
  const connected = orEnd(attempt, attempt.connected(lifeMs)).catch(explainEnd)
  // Whoever waits sees it; that nobody waits any more is no fault.
  connected.catch(() => undefined)
  return { code, expiresAtSeconds, connected }
}

/** What fails once is over: nobody is let in later who was refused now. */
async function orEnd<T>(attempt: Attempt, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    attempt.end()
    throw error
  }
}

/** @throws {DeliveryError} what it is given, or in plainer words why a browser stopped waiting */
function explainEnd(error: unknown): never {
  if (failureOf(error)?.code !== 'peer-closed') throw error
  const detail = 'this browser stopped waiting before the other one had its code'
  throw refusePairing('gave-up', detail, error)
}

function readCode(
  { swarmKey, clock }: PairingRoom,
  text: string,
  { side, pairing }: { readonly side: PairingSide; readonly pairing: Uint8Array | undefined },
): PairingCode {
  const code = decodePairingCode(text)
  requirePairing(code, { side, pairing, site: pairingSiteOf(swarmKey), nowSeconds: nowSeconds(clock) })
  return code
}

type Gathered = Pick<PairingCode, 'setup' | 'ufrag' | 'password' | 'fingerprint' | 'addresses'>

interface Attempt {
  /** This browser's half, once it knows its addresses. */
  gathered(signal: AbortSignal): Promise<Gathered>
  describe(code: PairingCode): void
  /** Tries the addresses of the code from now on. */
  knock(code: PairingCode): void
  /** Firefox gives up five seconds after a description, connected or not. Chromium answers those who knock even before it has their code. */
  isHasty(): boolean
  connected(withinMs: number): Promise<SourceId>
  /** Gives up, unless the peer is met. */
  end(): void
}

/** Stands for the signaling server: what it is told to pass on is kept for the code. */
function createLine(addresses: PairingAddress[], onDescription: (sdp: string) => void): Introducer {
  return {
    welcome: undefined,
    send(said) {
      if (said.type !== 'sig') return
      if (said.kind === 'offer' || said.kind === 'answer') onDescription(said.sdp.sdp)
      if (said.kind !== 'candidate' || addresses.length >= PAIRING_ADDRESSES) return
      const address = addressOfCandidate(said.candidate.candidate)
      if (address !== undefined) addresses.push(address)
    },
  }
}

/** One peer to be met by hand. */
function begin(
  room: PairingRoom,
  { isInitiator, lifeMs }: { readonly isInitiator: boolean; readonly lifeMs: number },
  signal: AbortSignal,
): Attempt {
  const { book, clock, swarm } = room
  const given = new AbortController()
  const described = createSettled<string>()
  const complete = createSettled<void>()
  const addresses: PairingAddress[] = []
  let isHasty = false
  const line = createLine(addresses, described.resolve)
  const meeting = { peer: toPeerId(toBase64Url(room.randomBytes(12))), swarm }
  const options = { isInitiator, connectTimeoutMs: lifeMs, onGathered: complete.resolve }
  const introduction: Introduction = book.introduce(line, { ...meeting, ...options }, AbortSignal.any([signal, given.signal]))
  const kind = isInitiator ? 'answer' : 'offer'
  return {
    end: () => given.abort(new DeliveryError({ code: 'peer-closed', detail: 'given up' })),
    async gathered(own) {
      const late = (elapsedMs: number): DeliveryError => new DeliveryError({ code: 'peer-timeout', phase: 'connect', elapsedMs })
      const failed = introduction.met.then((): never => {
        throw new TypeError('expected no peer before both codes are known')
      })
      const wait = { ms: GATHER_MS, clock, late }
      const sdp = await withDeadline(Promise.race([described.promise, failed]), wait, own)
      await Promise.race([complete.promise, failed, clock.sleep(GATHER_MS, own)])
      isHasty = /^o=mozilla/m.test(sdp)
      const facts = readDescription(sdp)
      if (facts === undefined || addresses.length === 0)
        throw refusePairing('no-address', 'this browser names no address that another one could reach')
      return { ...facts, addresses }
    },
    describe: (code) => introduction.accept({ kind, sdp: { type: kind, sdp: writeDescription(code) } }),
    isHasty: () => isHasty,
    knock(code) {
      code.addresses.forEach((address, index) =>
        introduction.accept({
          kind: 'candidate',
          candidate: { candidate: candidateOfAddress(address, index), sdpMid: '0', sdpMLineIndex: 0 },
        }),
      )
    },
    async connected(withinMs) {
      const late = (elapsedMs: number): DeliveryError => new DeliveryError({ code: 'peer-timeout', phase: 'connect', elapsedMs })
      const { source } = await withDeadline(introduction.met, { ms: withinMs, clock, late }, signal)
      return source.id
    },
  }
}
