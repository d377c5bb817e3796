import { expect, test } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import { createLine } from '../fakes/array-source.ts'
import { createRoom } from './bench-room.ts'

const MIB = 2 ** 20

test('a download that gives way to urgent ones for two minutes is not given up', async () => {
  const room = createRoom()
  room.set.replace([room.source('cdn-1', 'cdn', { bytesPerSecond: MIB })])
  const urgent = room.roster.traffic.enter('critical', () => undefined)
  const work = room.deliver()
  for (let seconds = 0; seconds < 120; seconds++) {
    urgent.noteProgress()
    await room.clock.advance(1000)
  }
  urgent.leave()
  expect((await work).stored.stored.isFull()).toBe(true)
})

test('pieces of 4 MiB arrive over a line of 80 KiB a second', async () => {
  const room = createRoom({ sizeBytes: 12 * MIB, pieceBytes: 4 * MIB })
  room.set.replace([room.source('cdn-1', 'cdn', { line: createLine(room.clock, 80 * 1024), chunkBytes: 64 * 1024 })])
  expect((await room.deliver()).stored.stored.isFull()).toBe(true)
})

test('a trickle from one that was banned elsewhere is not waited for longer than anything else', async () => {
  const room = createRoom()
  const trickle = room.source('cdn-1', 'cdn', { bytesPerSecond: 10, chunkBytes: 10 })
  room.set.replace([trickle])
  const work = room.deliver().catch((caught: unknown) => caught)
  await room.clock.advance(1000)
  room.reputation.blame(trickle.id, { code: 'peer-frame', detail: 'it lied about another artifact' })
  const error = await work
  expect(error instanceof DeliveryError && error.code).toBe('sources-exhausted')
  expect(room.clock.monotonicMs()).toBeLessThan(95_000)
})
