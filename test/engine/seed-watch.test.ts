import { expect, test } from 'vitest'
import { createBitfield } from '../../src/core/model/bitfield.ts'
import { toPieceIndex, type PieceIndex } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import type { EngineMessage, Seedable } from '../../src/core/wire/bridge-message.ts'
import type { SeedNews } from '../../src/core/wire/seed-news.ts'
import { watchSeeds, type SeedWatchOptions } from '../../src/engine/seed-watch.ts'
import { createVirtualClock, settle } from '../fakes/virtual-clock.ts'

const SHA256 = sha256Of(Uint8Array.of(1))
const OTHER = sha256Of(Uint8Array.of(2))
const PIECES = 64
const LENGTH = 65_536
const piece = toPieceIndex

/** An engine, its page and the other tabs, as far as seeds go. */
function open(kept: readonly number[] = [0]) {
  const clock = createVirtualClock()
  const stop = new AbortController()
  const stored = createBitfield(PIECES)
  for (const at of kept) stored.add(piece(at))
  const told: EngineMessage[] = []
  const toTabs: SeedNews[] = []
  let own: (news: SeedNews) => void = () => undefined
  let other: (event: { readonly data: unknown }) => void = () => undefined
  let listings = 0
  let gate: Promise<void> = Promise.resolve()
  const seed = (): Seedable => ({
    sha256: SHA256,
    sizeBytes: PIECES * LENGTH,
    pieceLengthBytes: LENGTH,
    role: 'artifact',
    pieces: stored.toBytes(),
  })
  const options: SeedWatchOptions = {
    clock,
    send: (message) => void told.push(message),
    tabs: { postMessage: (news) => void toTabs.push(news), addEventListener: (_type, listener) => (other = listener) },
    engine: {
      onSeedNews: (listener) => ((own = listener), () => undefined),
      keptAmong: async (_sha256, pieces) => pieces.filter((at) => stored.has(at)),
      async seedable() {
        listings++
        const found = stored.size === 0 ? [] : [seed()]
        await gate
        return found
      },
    },
  }
  const watch = watchSeeds(options, stop.signal)
  return {
    clock,
    watch,
    stored,
    told,
    toTabs,
    get listings() {
      return listings
    },
    keep(...pieces: readonly number[]) {
      for (const at of pieces) stored.add(piece(at))
      for (const at of pieces) own({ type: 'kept', sha256: SHA256, pieces: [piece(at)] })
    },
    own: (news: SeedNews) => own(news),
    hear: (data: unknown) => other({ data }),
    /** Lists take until the returned function is called. */
    hold() {
      let release: () => void = () => undefined
      gate = new Promise((resolve) => (release = resolve))
      return release
    },
  }
}

const pieces = (messages: readonly EngineMessage[]): readonly PieceIndex[] =>
  messages.flatMap((message) => (message.type === 'seed-pieces' ? message.pieces : []))

test('a page that gives nothing hears nothing, and the other tabs hear of each piece all the same', async () => {
  const room = open()
  room.keep(1)
  await room.clock.advance(1000)
  expect([room.told, room.listings]).toEqual([[], 0])
  expect(room.toTabs).toEqual([{ type: 'kept', sha256: SHA256, pieces: [1] }])
})

test('a page that begins to give hears what there is, then of each piece once, ten times a second at most', async () => {
  const room = open()
  room.watch.setOn(true)
  await room.clock.advance(200)
  expect(room.told).toMatchObject([{ type: 'seedable', blobs: [{ sha256: SHA256 }] }])
  for (let at = 1; at < PIECES; at++) {
    room.keep(at)
    await room.clock.advance(16)
  }
  await room.clock.advance(1000)
  expect(pieces(room.told)).toEqual(Array.from({ length: PIECES - 1 }, (_, at) => at + 1))
  const seconds = ((PIECES - 1) * 16) / 1000
  expect(room.told.length - 1).toBeLessThanOrEqual(Math.ceil(seconds * 10) + 1)
  expect(room.listings).toBe(1)
})

test('what another tab stores is given too, once it is found in the store', async () => {
  const room = open()
  room.watch.setOn(true)
  await room.clock.advance(200)
  room.stored.add(piece(5))
  room.hear({ type: 'kept', sha256: SHA256, pieces: [5, 6] })
  await settle()
  expect(pieces(room.told)).toEqual([5])
  room.hear({ type: 'kept', sha256: SHA256, pieces: [5] })
  await settle()
  expect(pieces(room.told)).toEqual([5])
})

test.each([['no object'], [{ type: 'kept', sha256: 'short', pieces: [] }], [{ type: 'kept', sha256: SHA256, pieces: [-1] }], [undefined]])(
  'a foreign message of the origin changes nothing: %j',
  async (data) => {
    const room = open()
    room.watch.setOn(true)
    await room.clock.advance(200)
    room.hear(data)
    await room.clock.advance(1000)
    expect(room.told).toHaveLength(1)
  },
)

test('the first piece of an artifact makes a new list, and so does whatever else changes, in this tab or another', async () => {
  const room = open([])
  room.watch.setOn(true)
  await room.clock.advance(200)
  expect(room.told).toEqual([{ type: 'seedable', blobs: [] }])
  room.keep(3)
  await room.clock.advance(200)
  expect(room.told.at(-1)).toMatchObject({ type: 'seedable', blobs: [{ sha256: SHA256 }] })
  room.own({ type: 'changed' })
  expect(room.toTabs.at(-1)).toEqual({ type: 'changed' })
  await room.clock.advance(200)
  room.hear({ type: 'changed' })
  await room.clock.advance(200)
  expect(room.told.filter(({ type }) => type === 'seedable')).toHaveLength(4)
})

test('a piece that is stored while a list is being made is not lost', async () => {
  const room = open()
  const release = room.hold()
  room.watch.setOn(true)
  await settle()
  room.keep(9)
  release()
  await room.clock.advance(300)
  const [first] = room.told
  expect(first?.type === 'seedable' && first.blobs[0]?.pieces).toEqual(Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 0))
  expect(pieces(room.told)).toEqual([9])
})

test('changes that come in a row are one list, and pieces of what is not given are no news', async () => {
  const room = open()
  room.watch.setOn(true)
  for (let i = 0; i < 50; i++) room.own({ type: 'changed' })
  await room.clock.advance(1000)
  expect(room.listings).toBeLessThanOrEqual(2)
  room.watch.setOn(false)
  room.own({ type: 'kept', sha256: OTHER, pieces: [piece(0)] })
  await room.clock.advance(1000)
  expect(room.told.filter(({ type }) => type === 'seed-pieces')).toEqual([])
})
