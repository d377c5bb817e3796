import { setMaxListeners, EventEmitter } from 'node:events'
import { createHash } from 'node:crypto'
import { toSha256 } from '../../src/core/model/ids.ts'
import { instantHasher, makeArtifact } from '../fakes/make-artifact.ts'
import { createSeededRandom, seededBytes } from '../fakes/seeded-random.ts'
import { Line } from './line.ts'
import { QUANTA, SimPeer, type Conduct, type World } from './peer.ts'
import { CONNECT_MS, openSimRoom, type SimRoom } from './room.ts'
import { createSimClock } from './sim-clock.ts'

export type ScenarioName = 'flash' | 'churn' | 'free-riders' | 'polluters' | 'two-lans'

export interface Simulation {
  readonly scenario: ScenarioName
  /** The seed counted. */
  readonly peers: number
  readonly pieces: number
  readonly seed: number
}

export interface SimulationResult {
  /** Until the last honest peer that stays has all, over the fluid lower bound. Infinite when one never has. */
  readonly toBound: number
  /** Of the honest peers that stayed, those that have all. */
  readonly completed: number
  /** Bytes that crossed the line between the networks, in artifacts; both ways together. */
  readonly thinLinkCopies: number
  readonly boundS: number
  readonly lastS: number
  readonly medianS: number
}

/** 100 Mbit/s, each way. */
const BYTES_PER_SECOND = 12_500_000
const PIECE_BYTES = 1024 * 1024
const PIECE_MS = (PIECE_BYTES * 1000) / BYTES_PER_SECOND
/** What stands for a piece in memory. It is hashed and checked. */
const STAND_IN_BYTES = 32
const LATENCY_MS = 10
const SHARE_OF_BAD = 0.2
const LEAVING_PER_MINUTE = 0.1
/** The line between two networks carries as much as one peer's. */
const THIN_SHARE = 1
const GIVE_UP_FACTOR = 20

/** Runs one scenario to its end. The same seed gives the same result. */
export async function simulate(simulation: Simulation): Promise<SimulationResult> {
  EventEmitter.defaultMaxListeners = 0
  setMaxListeners(0)
  Error.stackTraceLimit = 0
  const swarm = createSwarm(simulation)
  const { world, peers } = swarm
  for (const peer of peers) admit(swarm, peer)
  const limitMs = GIVE_UP_FACTOR * simulation.pieces * PIECE_MS
  if (simulation.scenario === 'churn') churn(swarm)
  await world.clock.run(() => peers.every((peer) => !isAwaited(peer)), limitMs)
  return judge(simulation, swarm)
}

interface Swarm {
  readonly simulation: Simulation
  readonly world: World
  readonly peers: SimPeer[]
  readonly room: SimRoom
  /** In the room. */
  readonly present: SimPeer[]
}

function createSwarm(simulation: Simulation): Swarm {
  const { scenario, peers: count, pieces, seed } = simulation
  const random = createSeededRandom(seed)
  const bytes = seededBytes(seed, pieces * STAND_IN_BYTES)
  const quantumMs = PIECE_MS / QUANTA
  const line = (): Line => new Line(quantumMs / THIN_SHARE)
  const world: World = {
    clock: createSimClock(),
    random,
    artifact: makeArtifact(bytes, STAND_IN_BYTES),
    bytes,
    hasher: { ...instantHasher, digest: async (piece) => toSha256(createHash('sha256').update(piece).digest('hex')) },
    quantumMs,
    latencyMs: LATENCY_MS,
    thin: scenario === 'two-lans' ? [line(), line()] : undefined,
    crossed: 0,
  }
  const peers = Array.from({ length: count }, (_, at) => {
    const isBad = at > 0 && at <= Math.round((count - 1) * SHARE_OF_BAD)
    const conduct: Conduct = isBad && scenario === 'free-riders' ? 'free-rider' : isBad && scenario === 'polluters' ? 'polluter' : 'honest'
    return new SimPeer(world, at, { conduct, lan: scenario === 'two-lans' ? at % 2 : 0, isSeed: at === 0 })
  })
  // The seed is there first; the crowd comes in no order.
  const [first, ...crowd] = peers
  for (let at = crowd.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1))
    ;[crowd[at], crowd[other]] = [crowd[other]!, crowd[at]!]
  }
  return { simulation, world, peers: [first!, ...crowd], room: openSimRoom(world.clock, random), present: [] }
}

/** It downloads once it is connected to those whom signaling named. */
function admit({ world, room, present, simulation }: Swarm, peer: SimPeer): void {
  const { clock } = world
  present.push(peer)
  room.enter(peer, simulation.scenario === 'two-lans' ? `of LAN ${peer.lan}` : `of ${peer.id}`)
  clock.at(clock.monotonicMs() + CONNECT_MS, () => peer.start())
}

/** Peers leave for good, and as many come; half of those who leave are gone without a word. */
function churn(swarm: Swarm): void {
  const { world, peers, present, simulation } = swarm
  const { clock, random } = world
  const everyMs = 60_000 / (LEAVING_PER_MINUTE * simulation.peers)
  let next = simulation.peers
  const swap = (): void => {
    // The seed stays: without it there is nothing to get.
    const at = 1 + Math.floor(random() * (present.length - 1))
    const [leaver] = present.splice(at, 1)
    leaver?.leave(random() < 0.5)
    // Once those who were there at first are served, nobody new comes.
    if (peers.slice(0, simulation.peers).some(isAwaited)) {
      const joiner = new SimPeer(world, next++, { conduct: 'honest', lan: 0, isSeed: false })
      peers.push(joiner)
      admit(swarm, joiner)
      clock.at(clock.monotonicMs() + everyMs * -Math.log(1 - random()), swap)
    }
  }
  clock.at(everyMs, swap)
}

/** Honest, staying, and without all pieces yet. */
function isAwaited({ conduct, isGone, hasAll, failure }: SimPeer): boolean {
  return conduct === 'honest' && !isGone && !hasAll && failure === undefined
}

/**
 * No scheme is faster: the seed has to send one copy, the slowest has to receive one, and all uplinks together have to send one for each
 * who receives. R. Kumar, K. W. Ross, "Peer-Assisted File Distribution: The Minimum Distribution Time", 2006.
 */
export function fluidBoundMs({ scenario, peers, pieces }: Simulation): number {
  const copyMs = pieces * PIECE_MS
  const bad = Math.round((peers - 1) * SHARE_OF_BAD)
  const givers = scenario === 'free-riders' || scenario === 'polluters' ? peers - bad : peers
  const takers = scenario === 'polluters' ? peers - 1 - bad : peers - 1
  const thinMs = scenario === 'two-lans' ? copyMs / THIN_SHARE : 0
  return Math.max(copyMs, (takers * copyMs) / givers, thinMs)
}

function judge(simulation: Simulation, { world, peers }: Swarm): SimulationResult {
  const stayed = peers.filter(({ conduct, isGone }) => conduct === 'honest' && !isGone)
  const first = stayed.filter((peer) => peers.indexOf(peer) < simulation.peers && peer.doneAtMs !== undefined)
  const times = first.map(({ doneAtMs = Infinity }) => doneAtMs).toSorted((a, b) => a - b)
  const isWhole = stayed.every(({ hasAll }) => hasAll)
  const lastMs = isWhole ? (times.at(-1) ?? 0) : Infinity
  const boundMs = fluidBoundMs(simulation)
  return {
    toBound: lastMs / boundMs,
    completed: stayed.filter(({ hasAll }) => hasAll).length / stayed.length,
    thinLinkCopies: world.crossed / (QUANTA * simulation.pieces),
    boundS: boundMs / 1000,
    lastS: lastMs / 1000,
    medianS: (times[times.length >> 1] ?? Infinity) / 1000,
  }
}
