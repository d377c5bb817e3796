import fc from 'fast-check'
import { beforeAll, expect, test, vi } from 'vitest'
import type { Engine } from '../../src/engine/compose.ts'
import { toPieceIndex } from '../../src/core/model/ids.ts'
import { createKeyPublisher } from '../attacks/hostile-site.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { bytesOf, createMachine, createMirror, deliver, failureOfDelivery, isForgotten, never, type Machine } from './machine.ts'
import { PIECE_BYTES, type Publisher, type Release } from './publisher.ts'

/** Raise it for a longer hunt: `SEALIFT_RUNS=1000 npx vitest run test/engine/denied.test.ts`. */
const RUNS = Number(process.env['SEALIFT_RUNS'] ?? 15)

vi.setConfig({ testTimeout: Math.max(60_000, RUNS * 3000) })

const RELEASES = 3
/** Every answer is due for a newer one by then. */
const STEP_SECONDS = 7200

interface Step {
  /** What a new catalogue denies; undefined: none is published. */
  readonly publish: readonly number[] | undefined
  readonly isRestarted: boolean
  /** `old`: the only source serves the first catalogue that there ever was. */
  readonly network: 'off' | 'on' | 'old'
  readonly wanted: number
  readonly by: 'digest' | 'name'
}

const step: fc.Arbitrary<Step> = fc.record({
  publish: fc.option(fc.subarray(Array.from({ length: RELEASES }, (_, i) => i)), { nil: undefined }),
  isRestarted: fc.boolean(),
  network: fc.constantFrom('off', 'on', 'old'),
  wanted: fc.nat(RELEASES - 1),
  by: fc.constantFrom('digest', 'name'),
})

/** What a machine has to know, by the words of docs/catalogue.md alone. */
interface Model {
  accepted: { readonly version: number; readonly denied: ReadonlySet<number> } | undefined
  readonly kept: Set<number>
}

let publisher: Publisher
let releases: readonly Release[]

beforeAll(async () => {
  publisher = await createKeyPublisher()
  releases = await Promise.all(
    Array.from({ length: RELEASES }, (_, i) => publisher.release(seededBytes(i + 1, PIECE_BYTES + i), { version: `1.0.${i}` })),
  )
})

test('whatever is published, fetched and restarted, what the newest accepted catalogue denies is not delivered, nor readable where it was kept', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
      const machine = createMachine(publisher)
      const model: Model = { accepted: undefined, kept: new Set() }
      const first = { version: publisher.nowSeconds, denied: new Set<number>() }
      let newest = first
      let engine: Engine | undefined
      const mirrors = new Map<Step['network'], ReturnType<typeof createMirror>>()
      for (const network of ['on', 'old'] as const) mirrors.set(network, await mirrorOf(first))
      let before: Step['network'] | undefined
      for (const now of steps) {
        machine.clock.nowSeconds += STEP_SECONDS
        if (now.publish !== undefined) {
          newest = { version: newest.version + 1, denied: new Set(now.publish) }
          Object.assign(mirrors.get('on') ?? {}, { catalogue: (await mirrorOf(newest)).catalogue })
        }
        if (engine === undefined || now.isRestarted || now.network !== before)
          engine = machine.start([mirrors.get(now.network)].filter((mirror) => mirror !== undefined))
        before = now.network
        const offered = { off: undefined, on: newest, old: first }[now.network]
        if (offered !== undefined && offered.version > (model.accepted?.version ?? 0)) model.accepted = offered
        await expectOutcome(engine, now, model)
        await expectUnreadable(machine, engine, model)
      }
    }),
    { numRuns: RUNS },
  )
})

async function mirrorOf({ version, denied }: { readonly version: number; readonly denied: ReadonlySet<number> }) {
  const digests = releases.filter((_, i) => denied.has(i)).map(({ entry }) => entry.artifact.sha256)
  return createMirror('cdn-1', {
    catalogue: await publisher.catalogue(releases, { version, denied: digests }),
    blobs: releases.flatMap(({ blobs }) => blobs),
  })
}

async function expectOutcome(engine: Engine, { wanted, by, network }: Step, { accepted, kept }: Model): Promise<void> {
  const release = releases[wanted]
  if (release === undefined) throw new RangeError('no such release')
  const { sha256 } = release.entry.artifact
  const named = { kind: 'name', name: 'edge-agent', version: `1.0.${wanted}`, platform: undefined, channel: undefined } as const
  const work = deliver(engine, by === 'digest' ? { kind: 'digest', sha256 } : named)
  if (accepted?.denied.has(wanted) === true) expect(await failureOfDelivery(work)).toEqual({ code: 'artifact-denied', sha256 })
  else if (accepted === undefined || (network === 'off' && !kept.has(wanted))) await failureOfDelivery(work)
  else {
    expect(Buffer.from(await bytesOf((await work).blob)).equals(release.bytes)).toBe(true)
    kept.add(wanted)
  }
}

async function expectUnreadable(machine: Machine, engine: Engine, { accepted, kept }: Model): Promise<void> {
  for (const denied of accepted?.denied ?? []) {
    kept.delete(denied)
    const sha256 = releases[denied]?.entry.artifact.sha256
    if (sha256 === undefined) throw new RangeError('no such release')
    await expect.poll(() => isForgotten(machine, sha256)).toBe(true)
    expect(await engine.readSeed(sha256, toPieceIndex(0), never)).toBeUndefined()
    expect((await engine.seedable(never)).map((seed) => seed.sha256)).not.toContain(sha256)
  }
}
