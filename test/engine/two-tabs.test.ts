import { beforeAll, expect, test, vi } from 'vitest'
import type { DeliveryEvent } from '../../src/core/wire/delivery-event.ts'
import { createMortalLocks } from '../fakes/process-lock.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { bytesOf, createMachine, createMirror, deliver, LATEST, never } from './machine.ts'
import { createPublisher, PIECE_BYTES, type Publisher, type Release } from './publisher.ts'

const PIECES = 6
const BYTES = seededBytes(1, PIECES * PIECE_BYTES)

let publisher: Publisher
let release: Release
let catalogue: Uint8Array

beforeAll(async () => {
  publisher = await createPublisher()
  release = await publisher.release(BYTES)
  catalogue = await publisher.catalogue([release])
})

const mirrorOf = (id: string, bytesPerSecond?: number) =>
  createMirror(id, { catalogue, blobs: release.blobs, ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }) })

/** A mirror whose bodies stop for good after so many bytes of the artifact, while all else comes. */
function createStuckMirror(id: string, afterBytes: number) {
  const mirror = mirrorOf(id)
  const read = mirror.read.bind(mirror)
  const stuck: typeof mirror.read = async function* (blob, range, signal) {
    if (blob.sizeBytes !== BYTES.length || range.end <= afterBytes) return yield* read(blob, range, signal)
    await new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  }
  return Object.assign(mirror, { read: stuck })
}

const piecesIn = (events: readonly DeliveryEvent[]): number =>
  events.flatMap((event) => (event.kind === 'progress' ? event.pieces : [])).reduce((sum, { start, end }) => sum + end - start, 0)

/** Ranges of the artifact itself that a mirror was asked for, in pieces. */
const askedPieces = ({ asked }: { readonly asked: readonly { readonly start: number; readonly end: number }[] }): readonly number[] =>
  asked.flatMap(({ start, end }) => (end - start >= PIECE_BYTES ? [start / PIECE_BYTES] : []))

test('a tab that waits for another is told what that one keeps, and fetches none of it', async () => {
  const machine = createMachine(publisher)
  const [slow, idle] = [mirrorOf('cdn-1', 3 * PIECE_BYTES), mirrorOf('cdn-2')]
  const first = deliver(machine.start([slow]))
  await vi.waitFor(() => expect(machine.index.keptPieces(release.entry.artifact.sha256)).toBeGreaterThan(0), { timeout: 10_000 })
  const second = await deliver(machine.start([idle]))
  await first
  expect(await bytesOf(second.blob)).toEqual(BYTES)
  const waiting = second.events.slice(
    0,
    second.events.findIndex(({ kind }) => kind === 'resolved'),
  )
  expect(waiting).toContainEqual({ kind: 'phase', phase: 'waiting' })
  expect(piecesIn(waiting)).toBeGreaterThan(1)
  expect(askedPieces(idle)).toEqual([])
})

test('a tab that need not wait says nothing of waiting', async () => {
  const { events } = await deliver(createMachine(publisher).start([mirrorOf('cdn-1')]))
  expect(events).not.toContainEqual({ kind: 'phase', phase: 'waiting' })
})

test('when a tab dies whose request hangs, the one that waits goes on from what is kept', async () => {
  const machine = createMachine(publisher)
  const mortal = createMortalLocks(machine.withLock)
  const stuck = createStuckMirror('cdn-1', 2 * PIECE_BYTES)
  const life = deliver(machine.start([stuck], {}, undefined, mortal.withLock)).catch((error: unknown) => String(error))
  await vi.waitFor(() => expect(machine.index.keptPieces(release.entry.artifact.sha256)).toBe(2), { timeout: 10_000 })
  const events: DeliveryEvent[] = []
  const well = mirrorOf('cdn-2')
  const second = machine.start([well]).deliver(LATEST, (event) => void events.push(event), never)
  await vi.waitFor(() => expect(piecesIn(events)).toBe(2), { timeout: 10_000 })
  mortal.die()
  expect(await life).toContain('the tab has died')
  expect(await bytesOf((await second).blob)).toEqual(BYTES)
  expect(askedPieces(well).filter((piece) => piece < 2)).toEqual([])
})

test('a tab that is told to stop while its request hangs lets go at once', async () => {
  const machine = createMachine(publisher)
  const stop = new AbortController()
  const enough = new Error('enough')
  const first = deliver(machine.start([createStuckMirror('cdn-1', PIECE_BYTES)]), LATEST, stop.signal).catch((error: unknown) => error)
  await vi.waitFor(() => expect(machine.index.keptPieces(release.entry.artifact.sha256)).toBe(1), { timeout: 10_000 })
  const second = deliver(machine.start([mirrorOf('cdn-2')]))
  stop.abort(enough)
  expect(await first).toBe(enough)
  expect(await bytesOf((await second).blob)).toEqual(BYTES)
})
