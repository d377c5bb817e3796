import type { Clock } from '../core/ports.ts'

/**
 * One tab of an origin holds the peer connections. The lock goes to the next tab in the queue when its holder dies or resigns; a tab that needs
 * peers while another leads asks for it, and gets it unless the leader is taking from peers itself. A leader that says nothing any more, which
 * is frozen or stuck, is robbed of it.
 */
export interface Leadership {
  /** Stands for leader. `lead` runs while this tab leads, and ends when its signal aborts. Does nothing when it stands already. */
  stand(): void
  /** Gives it up, or the place in the queue. */
  resign(): void
  /** Asks the tab that leads to hand over, and takes the lead from one that has not been heard of for `SILENT_MS`. Call it again while it is needed. */
  ask(): void
  close(): void
}

export interface LeadershipOptions {
  readonly lead: (signal: AbortSignal) => Promise<void>
  /** False while this tab takes from peers: it then keeps what it has. */
  readonly mayHandOver: () => boolean
  readonly clock: Clock
  readonly locks: Pick<LockManager, 'request'>
  readonly channel: Pick<BroadcastChannel, 'postMessage' | 'addEventListener' | 'close'>
}

const LOCK = 'sealift-mesh-leader'
const CHANNEL = 'sealift-mesh-leader'
const ASK = 'hand-over'
const BEAT = 'beat'
/** How often a leader says that it is there. */
export const BEAT_MS = 1000
/** One that said nothing for so long does nothing for anybody: its main thread is stuck, or its tab frozen. */
export const SILENT_MS = 5000

/** The channel that the tabs of this origin share. Close it with the leadership. */
export function openLeaderChannel(): BroadcastChannel {
  return new BroadcastChannel(CHANNEL)
}

export function createLeadership(options: LeadershipOptions): Leadership {
  return new Candidate(options)
}

class Candidate implements Leadership {
  readonly #options: LeadershipOptions
  #candidacy: AbortController | undefined
  #leading: AbortSignal | undefined
  #heardAtMs: number
  #askedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: LeadershipOptions) {
    this.#options = options
    this.#heardAtMs = options.clock.monotonicMs()
    options.channel.addEventListener('message', ({ data }) => this.#onMessage(data))
  }

  stand(): void {
    if (this.#candidacy !== undefined) return
    const own = new AbortController()
    this.#request(own, { signal: own.signal })
  }

  resign(): void {
    this.#candidacy?.abort(new DOMException('The mesh is switched off.', 'AbortError'))
    this.#candidacy = undefined
  }

  ask(): void {
    const nowMs = this.#options.clock.monotonicMs()
    // A tab that was frozen itself, or has only just begun to ask, has heard nothing either.
    if (nowMs - this.#askedAtMs >= SILENT_MS) this.#heardAtMs = nowMs
    this.#askedAtMs = nowMs
    this.stand()
    if (this.#leading !== undefined) return
    if (nowMs - this.#heardAtMs >= SILENT_MS) this.#steal()
    else this.#options.channel.postMessage(ASK)
  }

  close(): void {
    this.resign()
    this.#options.channel.close()
  }

  #onMessage(data: unknown): void {
    if (data === BEAT) this.#heardAtMs = this.#options.clock.monotonicMs()
    if (data !== ASK || this.#leading === undefined || !this.#options.mayHandOver()) return
    this.resign()
    // Behind whoever asked.
    this.stand()
  }

  #steal(): void {
    this.resign()
    // A stolen lock takes no signal: https://w3c.github.io/web-locks/#api-lock-manager-request
    this.#request(new AbortController(), { steal: true })
  }

  #request(own: AbortController, how: LockOptions): void {
    this.#candidacy = own
    this.#options.locks
      .request(LOCK, how, () => this.#run(own.signal))
      .catch((error: unknown) => {
        if (own.signal.aborted) return
        if (this.#candidacy === own) this.#candidacy = undefined
        // Robbed of it, or the mesh did not start: its chunk did not load, say. What still runs of it ends at once.
        own.abort(new DOMException('Another tab leads.', 'AbortError'))
        if (!isRobbery(error)) return reportError(error)
        this.#heardAtMs = this.#options.clock.monotonicMs()
        this.stand()
      })
  }

  async #run(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    this.#leading = signal
    // Its end is the only way out.
    this.#beat(signal).catch(() => undefined)
    try {
      await this.#options.lead(signal)
    } finally {
      if (this.#leading === signal) this.#leading = undefined
      this.#heardAtMs = this.#options.clock.monotonicMs()
    }
  }

  async #beat(signal: AbortSignal): Promise<never> {
    const { channel, clock } = this.#options
    for (;;) {
      channel.postMessage(BEAT)
      await clock.sleep(BEAT_MS, signal)
    }
  }
}

function isRobbery(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
