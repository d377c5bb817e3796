import { expect, test } from 'vitest'
import { toPieceIndex, toSha256 } from '../../../src/core/model/ids.ts'
import { createUploadSlots, type UploadLane, type UploadSlots, type WantedPiece } from '../../../src/sources/mesh/upload-slots.ts'

const DIGEST = toSha256('d'.repeat(64))

const piece = (index: number): WantedPiece => ({ digest: DIGEST, piece: toPieceIndex(index) })

/** A peer that is given what it waits for as soon as it gets a slot, and leaves the slot when it is told to. */
function openPeer(slots: UploadSlots, name: string, turns: string[], servedBytes = 0) {
  const lane: UploadLane = slots.open({
    servedBytes,
    pump: () => undefined,
    onLimits: () => undefined,
    onSlot: () => void turns.push(name),
  })
  return lane
}

function crowded() {
  const slots = createUploadSlots(1)
  const turns: string[] = []
  const first = openPeer(slots, 'first', turns)
  expect(first.enter(piece(0))).toBe('taken')
  return { slots, turns, first, peer: (name: string, servedBytes?: number) => openPeer(slots, name, turns, servedBytes) }
}

test('of those who wait, whoever wants what was given less often goes first', () => {
  const { slots, turns, first, peer } = crowded()
  slots.noteGiven(piece(1))
  slots.noteGiven(piece(1))
  slots.noteGiven(piece(2))
  expect(peer('common').enter(piece(1))).toBe('queued')
  const rare = peer('rare', 1000)
  expect(rare.enter(piece(3))).toBe('queued')
  first.leave()
  rare.leave()
  expect(turns).toEqual(['rare', 'common'])
})

test('among pieces that were given as often, whoever was given least goes first', () => {
  const { turns, first, peer } = crowded()
  for (const [name, servedBytes] of [
    ['rich', 9],
    ['poor', 1],
  ] as const)
    peer(name, servedBytes).enter(piece(1))
  first.leave()
  expect(turns).toEqual(['poor'])
})

test('whoever waits for a common piece is passed over four times at most, whatever others ask for', () => {
  const { slots, turns, first, peer } = crowded()
  slots.noteGiven(piece(1))
  peer('patient').enter(piece(1))
  let serving = first
  for (let turn = 0; turn < 8; turn++) {
    const pushing = peer(`pushing ${turn}`)
    pushing.enter(piece(10 + turn))
    serving.leave()
    serving = pushing
    if (turns.includes('patient')) break
  }
  expect(turns).toEqual(['pushing 0', 'pushing 1', 'pushing 2', 'pushing 3', 'patient'])
})
