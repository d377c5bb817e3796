import { allHostile, firstPeerPiece, onePolluter, sixProfiles } from './peers-all.ts'
import { DEPARTURES, peerGone } from './peers-gone.ts'
import { peersDoHarm } from './peers-hostile.ts'
import type { Scenario } from './scenario.ts'

const CELLS: readonly (readonly [name: string, run: Scenario['run']])[] = [
  ['P01 a peer closes its connection', peerGone(DEPARTURES.closedConnection)],
  ['P02 the tab of a peer is closed, and says so', peerGone(DEPARTURES.closedTab)],
  ['P02 the tab of a peer is closed without a word', peerGone(DEPARTURES.closedTabSilently)],
  ['P03 the renderer of a peer crashes', peerGone(DEPARTURES.crashed)],
  ['P04 the whole browser of a peer is killed', peerGone(DEPARTURES.killed)],
  ['P05 the machine of a peer freezes', peerGone(DEPARTURES.frozen)],
  ['P06 a peer sends wrong pieces', peersDoHarm({ manners: ['pollutes'], code: 'digest-mismatch', wastedPieces: 1 })],
  ['P07 a peer claims what it has not', peersDoHarm({ manners: ['refuses'], code: 'source-missing', wastedPieces: 0 })],
  ['P08 a peer floods with requests', peersDoHarm({ manners: ['demands'], wastedPieces: 0 })],
  [
    'P09 peers send frames that are too long, and what nobody asked for',
    peersDoHarm({ manners: ['oversizes', 'floods'], wastedPieces: 0 }),
  ],
  ['P10 a peer answers with frames that are none', peersDoHarm({ manners: ['garbles'], code: 'peer-frame', wastedPieces: 0 })],
  ['P11 a peer names another certificate than its own', peersDoHarm({ manners: ['forges'], wastedPieces: 0 })],
  ['the first piece of a peer after the CDN failed', firstPeerPiece(false)],
  ['the first piece of a peer after the CDN fell silent', firstPeerPiece(true)],
]

/** Peers that go, lie or do harm, while a page takes an artifact from them. Each with a healthy peer beside it. */
export const peersScenarios: readonly Scenario[] = [
  ...CELLS.map(([name, run]) => ({ group: 'peers' as const, name, run })),
  // Comparisons of time, and minutes: run when they are named, on a machine that does nothing else.
  { group: 'long', name: 'pe01.pollute: one of three peers lies, at no cost in time', run: onePolluter },
  { group: 'long', name: 'pe09.eclipse: eight hostile peers of eight', run: allHostile },
  { group: 'long', name: 'six profiles, the CDN at a trickle', run: sixProfiles },
]
