import type { LoadPeer, LoadPeerOptions } from './peer.ts'

/** What is read of a message of a WebTorrent tracker. */
interface TrackerMessage {
  readonly interval?: number
  readonly offer?: unknown
  readonly answer?: unknown
  readonly offer_id?: string
  readonly peer_id?: string
}

/**
 * The same work as WebTorrent's clients say it. A tracker introduces nobody: who announces brings offers, which go to peers of the
 * tracker's choice. So a join is an announcement without any, and an offer is a second announcement.
 */
export function createTrackerPeer(options: LoadPeerOptions): LoadPeer {
  const own = {
    action: 'announce',
    info_hash: `room${Math.floor(options.index / options.roomSize)}`.padEnd(20, '-'),
    peer_id: `-WW0000-${options.index}`.padEnd(20, '-'),
  }
  const say = (rest: object): void => options.say(JSON.stringify({ ...own, ...rest }))
  let isJoined = false
  return {
    greet: () => say({ event: 'started', uploaded: 0, downloaded: 0, left: 1, numwant: 0, offers: [] }),
    offer() {
      const offers = [{ offer_id: String(options.index).padEnd(20, '-'), offer: { type: 'offer', sdp: options.sdp } }]
      say({ event: 'update', uploaded: 0, downloaded: 0, left: 1, numwant: 1, offers })
      return true
    },
    hear(text) {
      const { interval, offer, answer, offer_id, peer_id } = JSON.parse(text) as TrackerMessage
      if (answer !== undefined) return 'answered'
      if (offer !== undefined) say({ to_peer_id: peer_id, offer_id, answer: { type: 'answer', sdp: options.sdp } })
      else if (interval === undefined) return 'refused'
      else if (!isJoined) {
        isJoined = true
        return 'joined'
      }
      return undefined
    },
  }
}
