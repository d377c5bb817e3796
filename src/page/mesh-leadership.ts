/**
 * One tab of an origin holds the peer connections. The lock goes to the next tab in the queue when its holder dies or resigns; a tab that needs
 * peers while another leads asks for it, and gets it unless the leader is taking from peers itself.
 */
export interface Leadership {
  /** Stands for leader. `lead` runs while this tab leads, and ends when its signal aborts. Does nothing when it stands already. */
  stand(): void
  /** Gives it up, or the place in the queue. */
  resign(): void
  /** Asks the tab that leads to hand over. */
  ask(): void
  close(): void
}

export interface LeadershipOptions {
  readonly lead: (signal: AbortSignal) => Promise<void>
  /** False while this tab takes from peers: it then keeps what it has. */
  readonly mayHandOver: () => boolean
}

const LOCK = 'sealift-mesh-leader'
const CHANNEL = 'sealift-mesh-leader'
const ASK = 'hand-over'

export function createLeadership({ lead, mayHandOver }: LeadershipOptions): Leadership {
  const channel = new BroadcastChannel(CHANNEL)
  let candidacy: AbortController | undefined
  let isLeading = false

  const run = async (signal: AbortSignal): Promise<void> => {
    if (signal.aborted) return
    isLeading = true
    try {
      await lead(signal)
    } finally {
      isLeading = false
    }
  }
  const stand = (): void => {
    if (candidacy !== undefined) return
    const own = new AbortController()
    candidacy = own
    navigator.locks
      .request(LOCK, { signal: own.signal }, () => run(own.signal))
      .catch((error: unknown) => {
        if (own.signal.aborted) return
        // The mesh did not start: its chunk did not load, say. The next wish for peers tries again.
        candidacy = undefined
        reportError(error)
      })
  }
  const resign = (): void => {
    candidacy?.abort(new DOMException('The mesh is switched off.', 'AbortError'))
    candidacy = undefined
  }
  channel.addEventListener('message', (event) => {
    if (event.data !== ASK || !isLeading || !mayHandOver()) return
    resign()
    // Behind whoever asked.
    stand()
  })
  return {
    stand,
    resign,
    ask() {
      stand()
      if (!isLeading) channel.postMessage(ASK)
    },
    close() {
      resign()
      channel.close()
    },
  }
}
