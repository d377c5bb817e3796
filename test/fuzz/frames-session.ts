import { failureOf } from '../../src/core/errors.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import type { LinkListener, PeerLink } from '../../src/sources/mesh/peer-link.ts'
import { openPeerSession, type PeerSession } from '../../src/sources/mesh/peer-session.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'
import { createLinkPair, type MemoryLink } from '../sources/mesh/memory-link.ts'
import { never, seedStore, sessionOptions } from '../sources/mesh/sessions.ts'
import { frameOf, note, type FrameTally } from './frames-target.ts'

const BYTES = new Uint8Array(3 * 65_536).fill(5)
const SHA256 = sha256Of(BYTES)
const STORE = seedStore({ sha256: SHA256, bytes: BYTES, pieceLengthBytes: 65_536 })
/** A session that a frame has ended hears no more: then the next one is greeted. */
const FRAMES_PER_SESSION = 64

/**
 * Says frames to whole sessions, each with a read under way, past greeting and proof. Nothing but an end of the session may come of any.
 * @returns how many sessions it took
 */
export async function runSessions(seed: number, indices: Iterable<number>, tally: FrameTally): Promise<number> {
  let sessions = 0
  let place: Place | undefined
  for (const index of indices) {
    if (place === undefined || !place.session.isOpen || place.said >= FRAMES_PER_SESSION) {
      place?.session.close('leaving')
      place = await openPlace()
      sessions++
    }
    say(place, frameOf(seed, index), tally)
  }
  place?.session.close('leaving')
  return sessions
}

interface Place {
  readonly session: PeerSession
  readonly hear: (frame: Uint8Array) => void
  said: number
}

function say(place: Place, frame: Uint8Array, tally: FrameTally): void {
  place.said++
  tally.count++
  const before = tally.refused
  try {
    place.hear(frame)
    if (place.session.isOpen) tally.parsed++
    else tally.refused = before + 1
  } catch (error) {
    if (failureOf(error)?.code !== 'peer-frame') note(tally, 'uncaught', frame)
  }
}

async function openPlace(): Promise<Place> {
  const clock = createVirtualClock()
  const { a, b } = createLinkPair()
  const tap = tapped(a)
  const [session] = await Promise.all([
    openPeerSession(tap.link, sessionOptions(clock, { store: STORE }), never),
    openPeerSession(b, sessionOptions(clock, { store: STORE }), never),
  ])
  session.openTopic(SHA256)
  const reading = session.read({ sha256: SHA256, sizeBytes: BYTES.length }, { start: 0, end: 65_536 }, never)
  reading[Symbol.asyncIterator]()
    .next()
    .catch(() => undefined)
  return { session, hear: tap.hear, said: 0 }
}

/** The same link, and its listener: a throw in there is seen, not lost in an event. */
function tapped(link: MemoryLink): { readonly link: PeerLink; readonly hear: (frame: Uint8Array) => void } {
  let listener: LinkListener | undefined
  return {
    hear: (frame) => listener?.onFrame(frame),
    link: {
      isInitiator: link.isInitiator,
      localFingerprint: link.localFingerprint,
      remoteFingerprint: link.remoteFingerprint,
      bufferedBytes: 0,
      send: (frame) => link.send(frame),
      listen(one) {
        listener = one
        link.listen(one)
      },
      stats: () => link.stats(),
      close: () => link.close(),
    },
  }
}
