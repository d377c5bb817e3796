import { DeliveryError } from '../../../src/core/errors.ts'
import type { CreateLink, PeerLink } from '../../../src/sources/mesh/peer-link.ts'
import { createLinkPair, type LinkPair } from './memory-link.ts'

/** Links in memory that are negotiated through real signaling, as WebRTC's are. All meshes of a test share one. */
export interface Exchange {
  readonly createLink: CreateLink
  /** Links made so far. */
  readonly made: readonly LinkPair[]
}

export function createExchange(): Exchange {
  const made: LinkPair[] = []
  const createLink: CreateLink = ({ isInitiator, send }, signal) => {
    let resolve: (link: PeerLink) => void = () => {}
    let reject: (reason: unknown) => void = () => {}
    const connected = new Promise<PeerLink>((onDone, onFailed) => {
      resolve = onDone
      reject = onFailed
    })
    connected.catch(() => undefined)
    const index = made.length
    if (isInitiator) {
      const pair = createLinkPair()
      made.push(pair)
      setImmediate(() => send({ kind: 'offer', sdp: { type: 'offer', sdp: String(index) } }))
    }
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    return {
      connected,
      accept(negotiation) {
        if (negotiation.kind === 'end') reject(new DeliveryError({ code: 'peer-closed', detail: 'the other side gave up' }))
        if (negotiation.kind === 'answer') resolve(takeEnd(made[index]?.a, signal))
        if (negotiation.kind !== 'offer') return
        send({ kind: 'answer', sdp: { type: 'answer', sdp: '' } })
        resolve(takeEnd(made[Number(negotiation.sdp.sdp)]?.b, signal))
      },
    }
  }
  return { createLink, made }
}

function takeEnd(link: PeerLink | undefined, signal: AbortSignal): PeerLink {
  if (link === undefined) throw new Error('an answer to no offer')
  signal.addEventListener('abort', () => link.close(), { once: true })
  return link
}
