import { expect, test, vi } from 'vitest'
import { toPieceIndex } from '../../src/core/model/ids.ts'
import { deliveryPolicy } from '../../src/core/plan/policy.ts'
import { createReputation } from '../../src/core/plan/reputation.ts'
import type { Tier } from '../../src/core/ports.ts'
import { deliverPieces } from '../../src/scheduler/delivery.ts'
import { runPeers } from '../../src/scheduler/peers.ts'
import { createRoster } from '../../src/scheduler/roster.ts'
import { createMemoryStore } from '../../src/stores/memory-store.ts'
import { instantHasher, makeArtifact, pieceBytes } from '../fakes/make-artifact.ts'
import { createSeededRandom, seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'
import { createAccounts, createMovableSet } from './bench-room.ts'
import { createPlannedSource, PIECE_BYTES, type Behaviour, type SourcePlan } from './random-network.ts'

/** Raise it for a longer hunt: `SEALIFT_INSTALLS=20000 npx vitest run test/scheduler/installs.test.ts`. */
const INSTALLS = Number(process.env['SEALIFT_INSTALLS'] ?? 1000)
const SIZE_BYTES = 12 * PIECE_BYTES + 1
const PEERS = 10
const BAD_PEERS = 6

vi.setConfig({ testTimeout: 60_000 + INSTALLS * 1000 })

const TIERS: readonly Tier[] = ['cdn', 'gateway', 'mesh']
const never = new AbortController().signal

type Draw = <T>(from: readonly T[]) => T

/** Every way in which a source of the fault matrix is of no use, in the middle of a piece or before it. */
function badly(draw: Draw): Behaviour {
  const at = draw([0, 1, 500, PIECE_BYTES, 3 * PIECE_BYTES + 7])
  return draw<Behaviour>([
    { kind: 'lies', pieces: [true] },
    { kind: 'lies', pieces: [draw([true, false]), true] },
    { kind: 'stalls', at },
    { kind: 'dies', at },
    { kind: 'ends', at },
    { kind: 'overflows' },
    { kind: 'missing' },
    { kind: 'refuses' },
  ])
}

function planOf(tier: Tier, isBad: boolean, draw: Draw): SourcePlan {
  return {
    tier,
    behaviour: isBad ? badly(draw) : { kind: 'honest' },
    latencyMs: draw([1, 20, 80, 300]),
    bytesPerSecond: draw([20_000, 200_000, 5_000_000]),
    chunkBytes: draw([100, 700, 5000]),
    maxRunPieces: tier === 'mesh' ? 1 : draw([1, 16]),
    offered: undefined,
    joinsAtMs: tier === 'mesh' ? draw([0, 500, 2500]) : 0,
    leavesAtMs: undefined,
  }
}

interface Outcome {
  readonly isDelivered: boolean
  readonly wrongBytes: number
}

/** One browser that wants one artifact: two CDN origins, a gateway and ten peers, all of one tier of no use. */
async function install(seed: number, badPeers: number): Promise<Outcome> {
  const random = createSeededRandom(seed)
  const draw: Draw = (from) => {
    const drawn = from[Math.floor(random() * from.length)]
    if (drawn === undefined) throw new RangeError('expected something to draw from')
    return drawn
  }
  const dead = draw(TIERS)
  const tiers: readonly Tier[] = ['cdn', 'cdn', 'gateway', ...Array.from({ length: PEERS }, (): Tier => 'mesh')]
  const plans = tiers.map((tier, at) => planOf(tier, tier === dead || (tier === 'mesh' && at - 3 < badPeers), draw))
  const bytes = seededBytes(seed, SIZE_BYTES)
  const artifact = { ...makeArtifact(bytes, PIECE_BYTES), priority: draw(['normal', 'critical'] as const) }
  const clock = createVirtualClock()
  const sources = plans.map((plan, order) => createPlannedSource(plan, order, { bytes, clock, witness: { onRead: () => undefined } }))
  const set = createMovableSet(sources.filter(({ plan }) => plan.joinsAtMs === 0))
  const end = new AbortController()
  for (const joinsAtMs of [500, 2500])
    clock.sleep(joinsAtMs, end.signal).then(
      () => set.replace(sources.filter(({ plan }) => plan.joinsAtMs <= clock.monotonicMs())),
      () => undefined,
    )
  const stored = await createMemoryStore().open(artifact, never)
  const tools = {
    sources: set,
    policy: deliveryPolicy(draw(['cdn-first', 'lan-first'] as const), undefined, undefined),
    reputation: createReputation(),
    roster: createRoster(clock),
    clock,
    random,
    runPeers,
    hasher: instantHasher,
  }
  const isDelivered = await clock.drive(deliverPieces({ artifact, stored, observer: createAccounts().observer }, tools, never)).then(
    () => true,
    () => false,
  )
  end.abort(new Error('over'))
  let wrongBytes = 0
  for (let at = 0; at < artifact.pieces.count; at++) {
    const piece = toPieceIndex(at)
    if (!stored.stored.has(piece)) continue
    const right = pieceBytes(artifact, bytes, piece)
    wrongBytes += (await stored.read(piece, never)).filter((byte, i) => byte !== right[i]).length
  }
  return { isDelivered: isDelivered && stored.stored.isFull(), wrongBytes }
}

async function installAll(badPeers: number): Promise<{ readonly share: number; readonly wrongBytes: number }> {
  let delivered = 0
  let wrongBytes = 0
  for (let seed = 1; seed <= INSTALLS; seed++) {
    const outcome = await install(seed, badPeers)
    if (outcome.isDelivered) delivered++
    wrongBytes += outcome.wrongBytes
  }
  console.log(`${delivered} of ${INSTALLS} installed, ${wrongBytes} wrong bytes kept, ${badPeers} of ${PEERS} peers bad`)
  return { share: delivered / INSTALLS, wrongBytes }
}

test('with one tier of no use, at least 999 of 1,000 installs succeed, and no wrong byte is kept', async () => {
  const { share, wrongBytes } = await installAll(0)
  expect(wrongBytes).toBe(0)
  expect(share).toBeGreaterThanOrEqual(0.999)
})

test('with one tier of no use and six of ten peers bad, at least 990 of 1,000 succeed, and no wrong byte is kept', async () => {
  const { share, wrongBytes } = await installAll(BAD_PEERS)
  expect(wrongBytes).toBe(0)
  expect(share).toBeGreaterThanOrEqual(0.99)
})
