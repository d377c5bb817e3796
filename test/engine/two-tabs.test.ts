import fc from 'fast-check'
import { beforeAll, expect, test, vi } from 'vitest'
import { toPieceIndex } from '../../src/core/model/ids.ts'
import type { DeliveryEvent } from '../../src/core/wire/delivery-event.ts'
import { createMortalLocks } from '../fakes/process-lock.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { bytesOf, createMachine, createMirror, deliver, LATEST, never } from './machine.ts'
import { PIECE_BYTES, publishOne, type Publisher, type Release } from './publisher.ts'

const PIECES = 6
const BYTES = seededBytes(1, PIECES * PIECE_BYTES)

let publisher: Publisher
let release: Release
let catalogue: Uint8Array

beforeAll(async () => {
  ;({ publisher, release, catalogue } = await publishOne(BYTES))
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

interface TabPlan {
  /** It dies when so many pieces are kept; undefined: it lives. */
  readonly diesAt: number | undefined
  readonly piecesPerSecond: number
}

const tabPlan: fc.Arbitrary<TabPlan> = fc.record({
  diesAt: fc.option(fc.nat(PIECES), { nil: undefined }),
  piecesPerSecond: fc.constantFrom(30, 100, 1000),
})

/** Tabs of one browser that want the same artifact at once, each from a mirror of its own. */
async function openTabs(plans: readonly TabPlan[]) {
  const machine = createMachine(publisher)
  const { sha256 } = release.entry.artifact
  const askedAgain: number[] = []
  const puts: number[] = []
  const underWay = new Set<number>()
  /** By the mirror of the tab. */
  const deaths = new Map<string, AbortSignal>()
  // Whoever comes next cannot know of them, and keeps them too.
  const leftBehind: number[] = []
  const { blobs } = machine.index
  const add = blobs.add.bind(blobs)
  Object.assign(blobs, {
    add: async (...given: Parameters<typeof add>) => {
      // The dead keep nothing.
      if (given[1].some(({ flag }) => deaths.get(flag.source)?.aborted === true)) await new Promise(() => undefined)
      const pieces = given[1].map(({ flag }) => flag.index)
      puts.push(...pieces)
      for (const piece of pieces) underWay.add(piece)
      await add(...given)
      for (const piece of pieces) underWay.delete(piece)
    },
  })
  const tabs = plans.map(({ diesAt, piecesPerSecond }, at) => {
    const mirror = mirrorOf(`cdn-${at}`, piecesPerSecond * PIECE_BYTES)
    const read = mirror.read.bind(mirror)
    const death = new AbortController()
    deaths.set(mirror.id, death.signal)
    const mortal = createMortalLocks(machine.withLock)
    // A tab that is dead reads nothing more, and hears nothing.
    const untilDeath: typeof mirror.read = async function* (blob, range, signal) {
      if (blob.sizeBytes === BYTES.length)
        for (let piece = range.start / PIECE_BYTES; piece < range.end / PIECE_BYTES; piece++)
          if ((await machine.index.pieces.get(sha256, toPieceIndex(piece), never)) !== undefined) askedAgain.push(piece)
      for await (const chunk of read(blob, range, signal)) {
        if (death.signal.aborted) await new Promise(() => undefined)
        yield chunk
        if (diesAt !== undefined && blob.sizeBytes === BYTES.length && machine.index.keptPieces(sha256) >= diesAt) {
          if (!death.signal.aborted) leftBehind.push(...underWay)
          death.abort()
          mortal.die()
        }
      }
    }
    const engine = machine.start([Object.assign(mirror, { read: untilDeath })], {}, undefined, mortal.withLock)
    return { result: deliver(engine), hasDied: () => death.signal.aborted }
  })
  const outcomes = await Promise.allSettled(tabs.map(({ result }) => result))
  return { outcomes, askedAgain, puts, leftBehind, hasDied: tabs.map(({ hasDied }) => hasDied()) }
}

test('I11: however many tabs want the same, and whichever of them die, each piece is kept once, and every tab that lives gets the artifact', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(tabPlan, { minLength: 1, maxLength: 3 }), tabPlan, async (plans, last) => {
      const { outcomes, askedAgain, puts, leftBehind, hasDied } = await openTabs([...plans, { ...last, diesAt: undefined }])
      expect(askedAgain, 'pieces that were asked for although they were kept').toEqual([])
      const timesIn = (pieces: readonly number[], piece: number): number => pieces.filter((one) => one === piece).length
      for (let piece = 0; piece < PIECES; piece++) {
        expect(timesIn(puts, piece)).toBeGreaterThan(0)
        expect(timesIn(puts, piece), 'times that it was kept').toBeLessThanOrEqual(1 + timesIn(leftBehind, piece))
      }
      for (const [at, outcome] of outcomes.entries()) if (hasDied[at] !== true) expect(outcome.status).toBe('fulfilled')
    }),
    { numRuns: 12 },
  )
})
