import fc from 'fast-check'
import { beforeAll, expect, test, vi } from 'vitest'
import { failureOf } from '../../src/core/errors.ts'
import { parseBitfield } from '../../src/core/model/bitfield.ts'
import { toPieceIndex, type Sha256 } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import type { Engine } from '../../src/engine/compose.ts'
import { makeArtifact, makePiece } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createMachine, createMirror, deliver, failureOfDelivery, never, type Machine } from './machine.ts'
import { createPublisher, PIECE_BYTES, type Publisher, type Release } from './publisher.ts'

/** Raise it for a longer hunt: `SEALIFT_RUNS=1000 npx vitest run test/engine/partial-seeds.test.ts`. */
const RUNS = Number(process.env['SEALIFT_RUNS'] ?? 12)

vi.setConfig({ testTimeout: Math.max(60_000, RUNS * 1000) })

const PIECES = 24
const BYTES = seededBytes(1, PIECES * PIECE_BYTES)
const SHA256 = sha256Of(BYTES)
const ARTIFACT = makeArtifact(BYTES, PIECE_BYTES)
const piece = toPieceIndex
const right = (index: number): Uint8Array => BYTES.slice(index * PIECE_BYTES, (index + 1) * PIECE_BYTES)

let publisher: Publisher
let release: Release
let catalogue: Uint8Array

beforeAll(async () => {
  publisher = await createPublisher()
  release = await publisher.release(BYTES)
  catalogue = await publisher.catalogue([release])
})

/** Which pieces of the artifact the engine says it can give. */
async function offered(engine: Engine): Promise<readonly number[]> {
  const seed = (await engine.seedable(never)).find(({ sha256 }) => sha256 === SHA256)
  if (seed === undefined) return []
  if (seed.pieces === 'all') return Array.from({ length: PIECES }, (_, at) => at)
  return [...(parseBitfield(PIECES, seed.pieces)?.indices() ?? [])]
}

/** A tab whose source stops in the middle of each read. */
async function midway(machine: Machine, served: Release = release, signed: Uint8Array = catalogue) {
  const mirror = createMirror('cdn-1', { catalogue: signed, blobs: served.blobs })
  mirror.fault = { kind: 'stalls', afterBytes: 3 * PIECE_BYTES }
  const engine = machine.start([mirror])
  const stop = new AbortController()
  const ended = failureOfDelivery(deliver(engine, undefined, stop.signal)).catch((error: unknown) => error)
  await vi.waitFor(async () => expect(machine.index.keptPieces(SHA256)).toBeGreaterThanOrEqual(3))
  const end = async (): Promise<void> => {
    stop.abort()
    await ended
  }
  return { engine, mirror, end }
}

test('whoever downloads gives what is stored by now, and nothing that is not', async () => {
  const machine = createMachine(publisher)
  const { engine, end } = await midway(machine)
  const there = await vi.waitFor(async () => {
    const found = await offered(engine)
    expect(found.length).toBeGreaterThanOrEqual(3)
    return found
  })
  expect(there.length).toBeLessThan(PIECES)
  const given: number[] = []
  for (let at = 0; at < PIECES; at++) {
    const bytes = await engine.readSeed(SHA256, piece(at), never)
    if (bytes === undefined) continue
    expect(sha256Of(bytes)).toBe(sha256Of(right(at)))
    given.push(at)
  }
  // More may have been stored meanwhile.
  expect(given).toEqual(expect.arrayContaining([...there]))
  expect(await offered(engine)).toEqual(expect.arrayContaining(given))
  await end()
})

test('the documents that a newcomer needs are offered with the first pieces', async () => {
  const { engine, end } = await midway(createMachine(publisher))
  await vi.waitFor(async () =>
    expect((await engine.seedable(never)).map(({ sha256 }) => sha256)).toEqual(
      expect.arrayContaining(release.blobs.filter((blob) => blob !== release.bytes).map((blob) => sha256Of(blob))),
    ),
  )
  await end()
})

test('what a tab had fetched when it was closed is offered again by the next one', async () => {
  const machine = createMachine(publisher)
  const { engine, end } = await midway(machine)
  await end()
  const before = await offered(engine)
  expect(before.length).toBeGreaterThanOrEqual(3)
  const next = machine.start([])
  expect(await offered(next)).toEqual(before)
  for (const at of before) expect(await next.readSeed(SHA256, piece(at), never)).toEqual(right(at))
})

test('a tab that only looks on gives the pieces that another tab is fetching', async () => {
  const machine = createMachine(publisher)
  const leader = machine.start([createMirror('cdn-2', { catalogue })])
  await leader.list(never)
  const { engine, end } = await midway(machine)
  await vi.waitFor(async () => expect(await offered(leader)).toEqual(await offered(engine)))
  const [first = 0] = await offered(leader)
  expect(await leader.readSeed(SHA256, piece(first), never)).toEqual(right(first))
  await end()
})

test('pieces of what was not marked for peers are offered to none, while it is fetched and after', async () => {
  const machine = createMachine(publisher)
  const own = await publisher.release(BYTES, { mesh: false })
  const { engine, end } = await midway(machine, own, await publisher.catalogue([own]))
  const look = async (): Promise<void> => {
    expect(await engine.seedable(never)).toEqual([])
    for (let at = 0; at < PIECES; at++) expect(await engine.readSeed(SHA256, piece(at), never)).toBeUndefined()
  }
  await look()
  await end()
  await look()
})

test('what is denied while it is fetched is offered no more in the moment that its publisher is heard', async () => {
  const machine = createMachine(publisher)
  const { engine, end } = await midway(machine)
  await vi.waitFor(async () => expect(await offered(engine)).not.toEqual([]))
  const newer = await publisher.catalogue([release], { version: publisher.nowSeconds + 60, denied: [SHA256] })
  machine.clock.nowSeconds += 7200
  await machine.start([createMirror('cdn-1', { catalogue: newer, blobs: release.blobs })]).list(never)
  expect(await engine.seedable(never)).toEqual([])
  for (let at = 0; at < PIECES; at++) {
    const read = await engine.readSeed(SHA256, piece(at), never).catch(() => undefined)
    expect(read).toBeUndefined()
  }
  await end()
})

test('what is refused for its signatures is offered no more, whatever of it was given before they were judged', async () => {
  const machine = createMachine(publisher)
  const bad = await publisher.release(BYTES, { bundles: [await publisher.sign(BYTES)] })
  const mirror = createMirror('cdn-1', { catalogue: await publisher.catalogue([bad]), blobs: bad.blobs })
  const engine = machine.start([mirror])
  const keptThen: number[] = []
  engine.onSeedNews(({ type }) => void (type === 'changed' && keptThen.push(machine.index.keptPieces(SHA256))))
  expect(await failureOfDelivery(deliver(engine))).toMatchObject({ code: 'provenance-refused' })
  expect(await engine.seedable(never)).toEqual([])
  for (let at = 0; at < PIECES; at++) {
    const read = await engine.readSeed(SHA256, piece(at), never).catch(() => undefined)
    expect(read).toBeUndefined()
  }
  // The window hears of it after everything is gone.
  expect(keptThen.at(-1)).toBe(0)
})

type Step =
  | { readonly kind: 'keep'; readonly at: number }
  | { readonly kind: 'alter' | 'lose'; readonly at: number }
  | { readonly kind: 'forget' }
  | { readonly kind: 'catalogue'; readonly mesh: boolean; readonly isDenied: boolean }

/** The last piece that is touched: so few that what is altered was mostly kept before. */
const FEW = 2

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('keep' as const), at: fc.nat(FEW) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('alter' as const, 'lose' as const), at: fc.nat(FEW) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('catalogue' as const), mesh: fc.boolean(), isDenied: fc.boolean() }) },
)

const PASS: Step = { kind: 'catalogue', mesh: true, isDenied: false }
const DENY: Step = { kind: 'catalogue', mesh: true, isDenied: true }
const keep = (at: number): Step => ({ kind: 'keep', at })
const alter = (at: number): Step => ({ kind: 'alter', at })
const lose = (at: number): Step => ({ kind: 'lose', at })

/** Always tried, since a dozen stories seldom tell of them. */
const EXAMPLES: [Step[]][] = [
  [[keep(0), alter(0), keep(0), alter(0)]],
  [[keep(0), lose(0), alter(0), keep(0)]],
  // Kept while it was denied, and allowed again.
  [[keep(1), DENY, keep(0), alter(0), keep(1), PASS]],
  [[keep(0), { kind: 'catalogue', mesh: false, isDenied: false }, keep(1), PASS, { kind: 'forget' }, keep(2)]],
]

/** A machine that has the documents of the release, and none of its pieces. */
async function described(): Promise<Machine> {
  const machine = createMachine(publisher)
  await deliver(machine.start([createMirror('cdn-1', { catalogue, blobs: release.blobs })]))
  await machine.stores.store.remove(SHA256, never)
  return machine
}

/** What a peer is given; nothing, when it cannot be read. */
async function given(engine: Engine, at: number): Promise<Uint8Array | undefined> {
  try {
    return await engine.readSeed(SHA256, piece(at), never)
  } catch (error) {
    if (failureOf(error)?.code !== 'store-failed') throw error
    return undefined
  }
}

/** A store to which the steps happen, and what must be known of it. */
class Story {
  readonly #machine: Machine
  /** The tab that peers ask. */
  readonly #engine: Engine
  /** Pieces that are flagged as kept, all of them verified when they were, and what is under the flag by now. */
  readonly #kept = new Map<number, 'right' | 'altered' | 'lost'>()
  #version = publisher.nowSeconds
  #isAllowed = true
  #isDenied = false

  constructor(machine: Machine) {
    this.#machine = machine
    this.#engine = machine.start([])
  }

  async take(one: Step): Promise<void> {
    if (one.kind === 'keep') await this.#keep(one.at)
    else if (one.kind === 'forget') await this.#forget()
    else if (one.kind === 'catalogue') await this.#publish(one)
    else await this.#damage(one)
  }

  async check(): Promise<void> {
    expect(new Set(await offered(this.#engine))).toEqual(new Set(this.#isAllowed ? this.#kept.keys() : []))
    for (let at = 0; at <= FEW + 1; at++) {
      const bytes = await given(this.#engine, at)
      const isRight = this.#isAllowed && this.#kept.get(at) === 'right'
      expect(bytes && sha256Of(bytes)).toBe(isRight ? sha256Of(right(at)) : undefined)
    }
  }

  async #keep(at: number): Promise<void> {
    const file = await this.#machine.stores.store.open(ARTIFACT, never)
    await file.put(await makePiece(ARTIFACT, BYTES, at), never)
    await file.close()
    // What is flagged is not written again.
    if (!this.#kept.has(at)) this.#kept.set(at, 'right')
  }

  async #forget(): Promise<void> {
    await this.#machine.stores.store.remove(SHA256, never)
    this.#kept.clear()
  }

  async #damage({ kind, at }: { readonly kind: 'alter' | 'lose'; readonly at: number }): Promise<void> {
    const state = this.#kept.get(at)
    // Where no bytes are, there are none to change.
    if (state === undefined || state === 'lost') return
    if (kind === 'lose') this.#machine.index.lose(SHA256, at)
    else await this.#machine.index.alter(SHA256, at)
    // Altered twice, a bit is back.
    this.#kept.set(at, kind === 'lose' ? 'lost' : state === 'right' ? 'altered' : 'right')
  }

  async #publish({ mesh, isDenied }: { readonly mesh: boolean; readonly isDenied: boolean }): Promise<void> {
    this.#version += 60
    this.#machine.clock.nowSeconds += 7200
    const denied: readonly Sha256[] = isDenied ? [SHA256] : []
    const file = await publisher.catalogue([{ ...release, entry: { ...release.entry, mesh } }], { version: this.#version, denied })
    await this.#machine.start([createMirror('cdn-1', { catalogue: file })]).list(never)
    // Whichever tab starts deletes first what was denied until then.
    const isWithdrawn = this.#isDenied || isDenied
    this.#isDenied = isDenied
    this.#isAllowed = mesh && !isDenied
    if (!isWithdrawn) return
    // In the moment that it is heard, whatever is still there.
    if (isDenied) await this.check()
    // No tab may be about to delete it when the next piece is kept.
    await this.#machine.idle()
    expect(this.#machine.index.keptPieces(SHA256)).toBe(0)
    this.#kept.clear()
  }
}

test('I06: whatever becomes of the store, a peer is offered exactly what was verified here and is given exactly what is right', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), async (steps) => {
      const story = new Story(await described())
      for (const one of steps) {
        await story.take(one)
        await story.check()
      }
    }),
    { numRuns: EXAMPLES.length + RUNS, examples: EXAMPLES },
  )
})
