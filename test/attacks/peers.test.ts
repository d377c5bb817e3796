import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { failureOf } from '../../src/core/errors.ts'
import { toPieceIndex } from '../../src/core/model/ids.ts'
import { parsePeerMessage } from '../../src/core/wire/parse-peer-message.ts'
import { encodePeerMessage } from '../../src/core/wire/encode-peer-message.ts'
import { meetPeers } from '../hostile/hostile-peer.ts'
import type { MannerName } from '../hostile/manners.ts'
import { createRoom, type Room } from '../scheduler/bench-room.ts'
import { never } from '../sources/mesh/sessions.ts'
import { settle } from '../fakes/virtual-clock.ts'

vi.setConfig({ testTimeout: 60_000 })

const SECOND = 1000
/** A second of silence, and time to ask another. */
const ELSEWHERE_MS = 1.5 * SECOND

async function expectRight(room: Room, deliver = room.deliver()): ReturnType<Room['deliver']> {
  const outcome = await deliver
  const { stored } = outcome
  const parts: Uint8Array[] = []
  for (let at = 0; at < room.artifact.pieces.count; at++) parts.push(await stored.read(toPieceIndex(at), never))
  expect(Buffer.concat(parts).equals(Buffer.from(room.bytes))).toBe(true)
  return outcome
}

test.each<readonly [bad: number, manners: readonly MannerName[]]>([
  [1, ['pollutes', 'honest', 'honest']],
  [2, ['pollutes', 'honest', 'pollutes']],
  [3, ['pollutes', 'pollutes', 'pollutes']],
])('pe01.pollute: %i of three peers lie; each is banned after its first piece, and nobody else is', async (bad, manners) => {
  const room = createRoom()
  const cdn = room.source('cdn', 'cdn')
  cdn.fault =
    bad === 3
      ? { kind: 'none' }
      : { kind: 'fails', failure: { code: 'source-unreachable', source: cdn.id, phase: 'connect', elapsedMs: 1 } }
  const gone = room.source('gone', 'cdn')
  gone.fault = { kind: 'fails', failure: { code: 'source-unreachable', source: gone.id, phase: 'connect', elapsedMs: 1 } }
  room.set.replace(bad === 3 ? [gone] : [cdn])
  const peers = await meetPeers(room, manners)
  // Where all lie, a CDN that comes back is what is left.
  if (bad === 3) room.set.replace([...room.set.current(), cdn])
  const { reports } = await expectRight(room)
  for (const [at, { source }] of peers.entries()) {
    const failures = reports.find((report) => report.source === source.id)?.failures ?? []
    const isLiar = manners[at] === 'pollutes'
    const lies = failures.filter(({ code }) => code === 'digest-mismatch').length
    expect([source.id, room.reputation.isBanned(source.id), lies]).toEqual([source.id, isLiar && lies > 0, isLiar && lies > 0 ? 1 : 0])
    if (isLiar && bad < 3) expect(lies).toBe(1)
  }
})

test('pe04.stall: what a peer takes upon itself and does not send comes from another within a second and a half', async () => {
  const room = createRoom()
  await meetPeers(room, ['stalls', 'honest'])
  await expectRight(room)
  expect(room.clock.monotonicMs()).toBeLessThan(ELSEWHERE_MS)
})

test('pe04.stall: a peer that keeps us waiting, and does not end what is cancelled, is given up', async () => {
  const room = createRoom()
  const [staller] = await meetPeers(room, ['stalls'])
  await settle()
  if (staller === undefined) throw new Error('expected a peer')
  for (let times = 0; times < 2; times++) {
    const reading = staller.session.read(room.artifact, { start: 0, end: room.artifact.pieces.lengthBytes }, never)
    const failure = reading[Symbol.asyncIterator]().next().catch(failureOf)
    await settle()
    await room.clock.advance(2 * SECOND)
    expect(await failure).toMatchObject({ code: 'peer-timeout' })
    expect(staller.session.isOpen).toBe(true)
  }
  await room.clock.advance(15 * SECOND)
  expect([staller.session.isOpen, staller.session.strikeOut]).toEqual([false, 'troubled'])
})

test('pe04.stall: a byte a second is no better than none', async () => {
  const room = createRoom()
  await meetPeers(room, ['trickles', 'honest'])
  await expectRight(room)
  expect(room.clock.monotonicMs()).toBeLessThan(ELSEWHERE_MS)
})

test('pe05.bitfield: a peer that refuses what it claims loses the claim, and after three refusals its connection', async () => {
  const room = createRoom()
  const [liar] = await meetPeers(room, ['refuses', 'honest'])
  await settle()
  if (liar === undefined) throw new Error('expected a peer')
  const { artifact } = room
  const length = artifact.pieces.lengthBytes
  for (const piece of [0, 1, 2]) {
    expect(liar.session.isOffered(artifact, toPieceIndex(piece))).toBe(true)
    const reading = liar.session.read(artifact, { start: piece * length, end: (piece + 1) * length }, never)
    expect(await reading[Symbol.asyncIterator]().next().catch(failureOf)).toMatchObject({ code: 'source-missing' })
    expect(liar.session.isOffered(artifact, toPieceIndex(piece))).toBe(false)
    expect(liar.session.isOpen).toBe(piece < 2)
  }
  expect(liar.session.strikeOut).toBe('lying')
  await expectRight(room)
})

test('pe05.bitfield: a peer that takes back what it offered, and offers it again, is borne with sixteen times, and loses its connection after three more', async () => {
  const room = createRoom()
  const [recanter] = await meetPeers(room, ['recants', 'honest'])
  await settle()
  if (recanter === undefined) throw new Error('expected a peer')
  const { artifact } = room
  let times = 0
  while (recanter.session.isOpen && times < 40) {
    const reading = recanter.session.read(artifact, { start: 0, end: artifact.pieces.lengthBytes }, never)
    expect(await reading[Symbol.asyncIterator]().next().catch(failureOf)).toMatchObject({ code: 'source-missing' })
    await settle()
    times++
  }
  expect([times, recanter.session.strikeOut]).toEqual([19, 'lying'])
  await expectRight(room)
})

test('a flood of requests ends the session, and what a patient peer asks does not', async () => {
  const room = createRoom()
  const [flood, honest] = await meetPeers(room, ['demands', 'honest'])
  expect(await flood?.session.closed).toMatchObject({ code: 'peer-frame', detail: 'a flood of requests' })
  await expectRight(room)
  expect(honest?.session.isOpen).toBe(true)
})

test('pe05.bitfield: a peer that claims nothing is asked nothing', async () => {
  const room = createRoom()
  const [denier] = await meetPeers(room, ['denies', 'honest'])
  await expectRight(room)
  expect(denier?.a.sent.filter((frame) => parsePeerMessage(frame)?.type === 'request')).toEqual([])
})

test('pe09.eclipse: eight hostile peers of eight cost a download from the CDN at most half its time again', async () => {
  const timeWith = async (manners: readonly MannerName[]): Promise<number> => {
    const room = createRoom({ sizeBytes: 64 * 64 * 1024 })
    // Slow enough that peers are asked to help.
    room.set.replace([room.source('cdn', 'cdn', { bytesPerSecond: 400_000, latencyMs: 600 })])
    await meetPeers(room, manners)
    await expectRight(room)
    return room.clock.monotonicMs()
  }
  const alone = await timeWith([])
  const eclipsed = await timeWith(['pollutes', 'stalls', 'refuses', 'garbles', 'pollutes', 'stalls', 'refuses', 'denies'])
  const polluted = await timeWith(Array.from({ length: 8 }, () => 'pollutes' as const))
  const stalled = await timeWith(Array.from({ length: 8 }, () => 'stalls' as const))
  for (const time of [eclipsed, polluted, stalled]) expect(time).toBeLessThan(1.5 * alone)
})

test('pe12.endgame: a peer that withholds the last piece holds nobody up', async () => {
  // Which of the two is asked for it is left to chance.
  let wasAsked = 0
  for (let seed = 1; seed <= 8; seed++) {
    const room = createRoom({ sizeBytes: 2 * 64 * 1024, seed })
    const [, withholder] = await meetPeers(room, ['honest', 'withholds'])
    await expectRight(room)
    expect(room.clock.monotonicMs()).toBeLessThan(ELSEWHERE_MS)
    const sent = withholder?.a.sent.map((frame) => parsePeerMessage(frame)) ?? []
    wasAsked += sent.filter((one) => one?.type === 'request' && one.piece === 1).length
  }
  expect(wasAsked).toBeGreaterThan(0)
})

test('pe14.replay: whatever was said before ends the session or changes nothing when it is said again', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), async (picks) => {
      const room = createRoom({ sizeBytes: 4 * 64 * 1024 })
      const [peer] = await meetPeers(room, ['honest'])
      if (peer === undefined) throw new Error('expected a peer')
      await expectRight(room)
      const before = peer.b.sent.slice()
      for (const pick of picks) {
        const again = before[pick % before.length]
        if (again !== undefined) peer.b.send(new Uint8Array(again))
        await settle()
      }
      const ids = peer.a.sent
        .map((frame) => parsePeerMessage(frame))
        .flatMap((message) => (message?.type === 'request' ? [message.requestId] : []))
      expect(new Set(ids).size).toBe(ids.length)
      const repeated = picks.map((pick) => parsePeerMessage(before[pick % before.length] ?? new Uint8Array())?.type)
      const mustEnd = repeated.some((type) => type === 'hello' || type === 'proof' || type === 'end')
      if (mustEnd) expect(peer.session.isOpen).toBe(false)
      if (!peer.session.isOpen) expect((await peer.session.closed).code).toBe('peer-frame')
    }),
    { numRuns: 60 },
  )
})

test('pe14.replay: a request id that is asked for twice at once ends the session', async () => {
  const room = createRoom()
  const [peer] = await meetPeers(room, ['stalls'])
  if (peer === undefined) throw new Error('expected a peer')
  const request = encodePeerMessage({ type: 'request', topic: 0, requestId: 7, piece: toPieceIndex(0), fromOffset: 0, creditBytes: 1 })
  peer.b.send(request)
  await settle()
  expect((await peer.session.closed).code).toBe('peer-frame')
})
