import type { Clock } from '../../core/ports.ts'
import type { HelloSignal, SignalErrorCode, WelcomeSignal } from '../../core/wire/signal-message.ts'

export interface AdmissionPassOptions {
  /** Shown without its swarm key. Undefined where admission is open. */
  readonly ticket: string | undefined
  /**
   * Gets another ticket when this one is refused; undefined when there is none. Never rejects. Asked once in ten minutes at most; without one,
   * the server is left alone for as long. Default: the same ticket is shown again and again.
   */
  readonly freshTicket?: (() => Promise<string | undefined>) | undefined
  readonly clock: Clock
}

/** So long before the end of a session the ticket is shown again; a token with less life left is not worth showing. */
const RENEW_BEFORE_SECONDS = 60
/** Whoever is refused with a fresh ticket too stays away for so long: asking again would only cost portal and server. */
const REFUSED_MS = 600_000

/** What a client shows to be let in at one server: its ticket, or the token that it got for it. */
export class AdmissionPass {
  readonly #options: AdmissionPassOptions
  #ticket: string | undefined
  /** What stands for the ticket when the connection breaks within its life. Times are monotonic milliseconds. */
  #token: { readonly text: string; readonly untilMs: number } | undefined
  /** What let us in, or did not. */
  #shown: 'ticket' | 'token' = 'ticket'
  #isTicketRefused = false
  #renewedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: AdmissionPassOptions) {
    this.#options = options
    this.#ticket = options.ticket
  }

  /** The token while it lives, so that the ticket crosses the line as seldom as can be. */
  show(): Pick<HelloSignal, 'token' | 'ticket'> {
    const token = this.#token
    if (token === undefined || this.#options.clock.monotonicMs() >= token.untilMs) return this.showTicket()
    this.#shown = 'token'
    return { token: token.text, ticket: undefined }
  }

  showTicket(): Pick<HelloSignal, 'token' | 'ticket'> {
    this.#shown = 'ticket'
    return { token: undefined, ticket: this.#ticket }
  }

  onWelcome(welcome: WelcomeSignal): void {
    const lifeSeconds = lifeOf(welcome)
    // A token earns no new one: the one that was shown goes on.
    if (welcome.token === undefined || lifeSeconds === undefined) return
    this.#token = { text: welcome.token, untilMs: this.#options.clock.monotonicMs() + lifeSeconds * 1000 }
  }

  onRefused(code: SignalErrorCode): void {
    // It may be the token that was refused: another key, another clock.
    this.#token = undefined
    this.#isTicketRefused = this.#shown === 'ticket' && code.startsWith('admission-')
  }

  /** Waits until the ticket is to be shown again, so that the connection outlives the session. False when it never is, or `signal` aborted. */
  async untilDue(welcome: WelcomeSignal, signal: AbortSignal): Promise<boolean> {
    const lifeSeconds = lifeOf(welcome)
    if (lifeSeconds === undefined) return false
    return await this.#options.clock.sleep(Math.max(1, lifeSeconds) * 1000, signal).then(
      () => true,
      () => false,
    )
  }

  /** Of a ticket that was refused. @returns for how long not to come back */
  async renew(): Promise<number> {
    const { clock, freshTicket } = this.#options
    if (!this.#isTicketRefused || freshTicket === undefined) return 0
    this.#isTicketRefused = false
    const sinceMs = clock.monotonicMs() - this.#renewedAtMs
    if (sinceMs < REFUSED_MS) return REFUSED_MS - sinceMs
    this.#renewedAtMs = clock.monotonicMs()
    const fresh = await freshTicket()
    this.#ticket = fresh ?? this.#ticket
    return fresh === undefined ? REFUSED_MS : 0
  }
}

/** In seconds, by the server's clock alone; undefined where a session has no end. */
function lifeOf({ tokenExpiresAtSeconds, serverTime }: WelcomeSignal): number | undefined {
  return tokenExpiresAtSeconds === undefined ? undefined : tokenExpiresAtSeconds - serverTime - RENEW_BEFORE_SECONDS
}
