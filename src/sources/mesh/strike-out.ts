import type { Failure } from '../../core/errors.ts'
import type { Clock } from '../../core/ports.ts'
import { OPEN_REQUESTS } from './session-limits.ts'

/** Why a peer was given up. `troubled`: silent, or failing; its page may have slept. `lying`: it says that it has what it has not. */
export type StrikeOut = 'troubled' | 'lying'

/** So often a peer may keep us waiting, or refuse what it offers. */
export const STRIKES = 3

/** Pieces that may be refused because the offer was taken back meanwhile: all that is under way, a few times. */
const PARDONS = 4 * OPEN_REQUESTS

/** What one peer owes us so far. */
export class Strikes {
  #count = 0
  #pardons = PARDONS

  /** @returns true when that was one too many */
  add(): boolean {
    return ++this.#count >= STRIKES
  }

  /** @returns false when it was pardoned too often */
  pardon(): boolean {
    return this.#pardons-- > 0
  }
}

export function failureOfStrikeOut(why: StrikeOut, elapsedMs: number): Failure {
  return why === 'troubled'
    ? { code: 'peer-timeout', phase: 'gap', elapsedMs }
    : { code: 'peer-closed', detail: 'it refuses what it offers' }
}

/** One that was struck out is left alone for so long. */
const CHOKE_MS = 60_000
const REMEMBERED = 256

/** Who is not to be let in, for a while or for as long as this page lives, by certificate. */
export class Outcasts {
  readonly #clock: Clock
  readonly #banned = new Set<string>()
  /** Until when, by the monotonic clock, nothing is asked of it. */
  readonly #until = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  ban(fingerprint: string): void {
    this.#banned.add(fingerprint)
  }

  /** @returns for how long it is left alone, in milliseconds */
  choke(fingerprint: string, strikeOut: StrikeOut | undefined): number {
    if (strikeOut === undefined) return 0
    const isFirst = !this.#until.has(fingerprint)
    // A machine that slept for some seconds was silent too, and may be the only one that has the file: it gets one more chance at once.
    const ms = strikeOut === 'troubled' && isFirst ? 0 : CHOKE_MS
    this.#until.set(fingerprint, this.#clock.monotonicMs() + ms)
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= REMEMBERED) break
      this.#until.delete(oldest)
    }
    return ms
  }

  /** Undefined for whoever may come in. */
  refusalOf(fingerprint: string): string | undefined {
    if (this.#banned.has(fingerprint)) return 'it sent wrong bytes before'
    return this.#clock.monotonicMs() < (this.#until.get(fingerprint) ?? 0) ? 'it was struck out' : undefined
  }
}
