import type { Sha256 } from '../../src/core/model/ids.ts'
import { toSourceId } from '../../src/core/model/ids.ts'
import type { Source } from '../../src/core/ports.ts'
import { createMeshSource } from '../../src/sources/mesh/mesh-source.ts'
import { openPeerSession, type PeerSession } from '../../src/sources/mesh/peer-session.ts'
import type { SeedStore } from '../../src/sources/mesh/seed-store.ts'
import { offeredBy } from '../fakes/offered.ts'
import { createLinkPair, type LinkPair } from '../sources/mesh/memory-link.ts'
import { never, seedStore, sessionOptions } from '../sources/mesh/sessions.ts'
import type { Room } from '../scheduler/bench-room.ts'
import { MANNERS, type MannerName } from './manners.ts'
import { tamper, type Manner } from './tampered-link.ts'

/** A peer at the other end of a link in memory, as the scheduler meets it. */
export interface MetPeer extends LinkPair {
  readonly source: Source
  readonly session: PeerSession
}

/** Peers that have all of a room's artifact, each in its own manner, connected and asked what they have. They leave the room's set when their link closes. */
export async function meetPeers(room: Room, manners: readonly MannerName[]): Promise<readonly MetPeer[]> {
  const { artifact, bytes } = room
  const honest = seedStore({ sha256: artifact.sha256, bytes, pieceLengthBytes: artifact.pieces.lengthBytes })
  const met = await Promise.all(manners.map((manner, at) => meetPeer(room, { id: `peer:${manner}-${at}`, manner, honest })))
  const others = room.set.current()
  const show = (): void => room.set.replace([...others, ...met.filter(({ session }) => session.isOpen).map(({ source }) => source)])
  for (const { session } of met) {
    session.openTopic(artifact.sha256)
    void session.closed.then(show)
  }
  show()
  return met
}

interface Wish {
  readonly id: string
  readonly manner: MannerName
  readonly honest: SeedStore
}

async function meetPeer({ clock, artifact, set }: Room, { id, manner: name, honest }: Wish): Promise<MetPeer> {
  const manner: Manner = MANNERS[name]({ pieces: artifact.pieces.count })
  const { a, b } = createLinkPair()
  const source = toSourceId(id)
  // Sources with another offer are looked at again.
  const onOffer = (): void => set.replace(set.current())
  const [session] = await Promise.all([
    openPeerSession(a, sessionOptions(clock, { source, onOffer }), never),
    openPeerSession(
      tamper(b, manner, { bytesPerSecond: undefined }),
      sessionOptions(clock, { store: givingIn(honest, manner.gives) }),
      never,
    ),
  ])
  // As the bridge tells it: bits, from what the peer said.
  const offered: Source['offered'] = (one) => offeredBy(one, (piece) => session.isOffered(one, piece))
  return { a, b, session, source: { ...createMeshSource(source, session), offered } }
}

function givingIn(honest: SeedStore, gives: ((bytes: Uint8Array<ArrayBuffer>) => Uint8Array) | undefined): SeedStore {
  if (gives === undefined) return honest
  return {
    layout: (digest: Sha256) => honest.layout(digest),
    pieces: (digest) => honest.pieces(digest),
    readPiece: async (digest, piece, signal) => {
      const bytes = await honest.readPiece(digest, piece, signal)
      return bytes === undefined ? undefined : gives(new Uint8Array(bytes))
    },
    catalogue: (signal) => honest.catalogue(signal),
    trustUpdate: (version, signal) => honest.trustUpdate(version, signal),
  }
}
