import { DeliveryError } from '../../../src/core/errors.ts'
import type { CreateLink, PeerLink } from '../../../src/sources/mesh/peer-link.ts'
import { createLinkPair, type LinkPair } from './memory-link.ts'

/** Links in memory that are negotiated through real signaling, as WebRTC's are. All meshes of a test share one. */
export interface Exchange {
  /** The links of one page. Its peers know it by this certificate; a new one when left out. */
  links(fingerprint?: Uint8Array): CreateLink
  /** Links made so far. */
  readonly made: readonly LinkPair[]
}

/** An offer that nobody has answered yet. */
interface Offer {
  readonly fingerprint: Uint8Array
  pair: LinkPair | undefined
}

export function createExchange(): Exchange {
  const offers: Offer[] = []
  const made: LinkPair[] = []
  const links = (fingerprint: Uint8Array = crypto.getRandomValues(new Uint8Array(32))): CreateLink => {
    return ({ isInitiator, send }, signal) => {
      let resolve: (link: PeerLink) => void = () => {}
      let reject: (reason: unknown) => void = () => {}
      const connected = new Promise<PeerLink>((onDone, onFailed) => {
        resolve = onDone
        reject = onFailed
      })
      connected.catch(() => undefined)
      const index = offers.length
      if (isInitiator) {
        offers.push({ fingerprint, pair: undefined })
        setImmediate(() => send({ kind: 'offer', sdp: { type: 'offer', sdp: String(index) } }))
      }
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      return {
        connected,
        accept(negotiation) {
          if (negotiation.kind === 'end') reject(new DeliveryError({ code: 'peer-closed', detail: 'the other side gave up' }))
          if (negotiation.kind === 'answer') resolve(takeEnd(offers[index]?.pair?.a, signal))
          if (negotiation.kind !== 'offer') return
          const offer = offers[Number(negotiation.sdp.sdp)]
          if (offer === undefined) return reject(new DeliveryError({ code: 'peer-frame', detail: 'no description' }))
          offer.pair = createLinkPair(undefined, offer.fingerprint, fingerprint)
          made.push(offer.pair)
          send({ kind: 'answer', sdp: { type: 'answer', sdp: '' } })
          resolve(takeEnd(offer.pair.b, signal))
        },
      }
    }
  }
  return { links, made }
}

function takeEnd(link: PeerLink | undefined, signal: AbortSignal): PeerLink {
  if (link === undefined) throw new Error('an answer to no offer')
  signal.addEventListener('abort', () => link.close(), { once: true })
  return link
}
