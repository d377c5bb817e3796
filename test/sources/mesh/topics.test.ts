import { describe, expect, test } from 'vitest'
import { createBitfield } from '../../../src/core/model/bitfield.ts'
import { toPieceIndex, type Sha256 } from '../../../src/core/model/ids.ts'
import { sha256Of } from '../../../src/core/verify/digest.ts'
import type { PeerMessage } from '../../../src/core/wire/peer-message.ts'
import { Topics } from '../../../src/sources/mesh/topics.ts'
import { seededBytes } from '../../fakes/seeded-random.ts'
import { createVirtualClock, settle } from '../../fakes/virtual-clock.ts'
import { never, openPair, seedStore } from './sessions.ts'

const digest = (number: number): Sha256 => sha256Of(Uint8Array.of(number & 255, number >> 8))
const LENGTH = 64 * 1024

function createAsker(): { readonly topics: Topics; readonly opened: Sha256[] } {
  const opened: Sha256[] = []
  const send = (message: PeerMessage): void => {
    if (message.type !== 'open') return
    expect(message.topic).toBe(opened.length)
    opened.push(message.sha256)
  }
  return { topics: new Topics(send, () => undefined), opened }
}

describe('topics that we open', () => {
  test('an old one is opened anew when it is asked for again, and keeps what is known of it meanwhile', () => {
    const { topics, opened } = createAsker()
    topics.open(digest(0))
    topics.take({ type: 'opened', topic: 0, pieceLengthBytes: LENGTH, pieces: createBitfield(3) })
    for (let number = 1; number <= 200; number++) topics.open(digest(number))
    const again = topics.open(digest(0))
    expect(opened).toHaveLength(202)
    expect([again.number, again.isAnswered, again.offer?.pieces.length]).toEqual([201, true, 3])
    topics.take({ type: 'have', topic: 201, piece: toPieceIndex(1) })
    expect(again.offer?.pieces.size).toBe(1)
  })

  test('one that fell behind the newest 256 is closed: what still comes for it is let pass, and asking opens it again', () => {
    const { topics, opened } = createAsker()
    for (let number = 0; number <= 256; number++) topics.open(digest(number))
    expect(topics.get(digest(0))).toBeUndefined()
    expect(topics.all()).toHaveLength(256)
    topics.take({ type: 'have', topic: 0, piece: toPieceIndex(1) })
    topics.take({ type: 'absent', topic: 0 })
    expect(topics.open(digest(0)).number).toBe(257)
    expect(opened.at(-1)).toBe(digest(0))
  })

  test('a young one is not opened twice', () => {
    const { topics, opened } = createAsker()
    expect(topics.open(digest(0))).toBe(topics.open(digest(0)))
    expect(opened).toHaveLength(1)
  })

  test('a session outlives a thousand blobs, and still reads the first', async () => {
    const bytes = seededBytes(5, LENGTH)
    const blob = { sha256: sha256Of(bytes), sizeBytes: bytes.length }
    const store = seedStore({ ...blob, bytes, pieceLengthBytes: LENGTH })
    const { asking, serving } = await openPair(createVirtualClock(), {}, { store })
    asking.openTopic(blob.sha256)
    for (let number = 0; number < 1000; number++) asking.openTopic(digest(number))
    await settle()
    expect([asking.isOpen, serving.isOpen]).toEqual([true, true])
    const parts: Uint8Array[] = []
    for await (const chunk of asking.read(blob, { start: 0, end: LENGTH }, never)) parts.push(chunk)
    expect(sha256Of(Buffer.concat(parts))).toBe(blob.sha256)
  })
})
