import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { swarmIdOf, toSha256 } from 'sealift/protocol'
import type { SignalingCounts } from '../signaling/server.ts'
import { startRedis, type TestRedis } from '../test/signaling/redis.ts'
import { round2 } from './contest.ts'
import { startChild, type Child } from './delivery/child.ts'
import { readOption, type BenchOutput } from './output.ts'
import { board, type Passenger } from './signaling/passenger.ts'

const ORIGIN = 'https://portal.example'
const PROCESSES = 4
const PASSENGERS = 100
const DEFAULT_SECONDS = 20
const DEFAULT_PER_SECOND = 1000
/** Sent together: a timer is no finer. */
const TICK_MS = 10
const LATE_MS = 2000
const WAIT_MS = 20_000
const MOST_P99_MS = 50
const MOST_WHOLE_MS = 10_000
const MOST_LEFT_MS = 5000

/**
 * Four processes that share rooms over a Redis of their own: how long a signal takes from any visitor to any other, what becomes of the rooms when
 * Redis is killed and comes back, and how soon a killed process is told of.
 * @param args `--seconds N` (20), `--rate MESSAGES` in a second (1000)
 */
export async function benchSignalingProcesses(args: readonly string[]): Promise<BenchOutput> {
  const seconds = Number(readOption(args, '--seconds') ?? DEFAULT_SECONDS)
  const perSecond = Number(readOption(args, '--rate') ?? DEFAULT_PER_SECOND)
  const redis = await startRedis()
  const children: Child[] = []
  try {
    const ride = await boardAll(redis, children)
    const latencies = await passOn(ride, { seconds, perSecond })
    const wholeMs = await loseRedis(ride, redis, children)
    const leftMs = await loseProcess(ride, children)
    return report({ perSecond, sent: seconds * perSecond, latencies, wholeMs, leftMs })
  } finally {
    await Promise.all(children.map((child) => child.close()))
    await redis.kill()
  }
}

interface Ride {
  readonly passengers: readonly Passenger[]
  /** When each signal was sent, until it arrives. */
  readonly sent: Map<string, number>
  readonly latencies: number[]
}

async function boardAll(redis: TestRedis, children: Child[]): Promise<Ride> {
  const urls: string[] = []
  for (let at = 0; at < PROCESSES; at++) {
    const child = await startChild(new URL('./signaling/shared-process.js', import.meta.url))
    children.push(child)
    urls.push(await child.call<string>('start', { admission: { kind: 'open' }, origins: [ORIGIN], redis: { url: redis.url } }))
  }
  await untilAll(children, ({ neighbours }) => neighbours === PROCESSES - 1)
  const swarm = swarmIdOf(new Uint8Array(32), toSha256('ab'.repeat(32)))
  const sent = new Map<string, number>()
  const latencies: number[] = []
  const onSig = (sid: string): void => {
    const atMs = sent.get(sid)
    if (atMs !== undefined && sent.delete(sid)) latencies.push(performance.now() - atMs)
  }
  const passengers: Passenger[] = []
  for (let at = 0; at < PASSENGERS; at++) {
    const home = at % PROCESSES
    passengers.push(await board({ url: urls[home] ?? '', origin: ORIGIN, swarm, home, onSig }))
  }
  await untilAll(children, ({ seats, guests }) => seats + guests === PASSENGERS)
  return { passengers, sent, latencies }
}

/** From anybody to anybody, whichever process they are connected to. */
async function passOn(
  ride: Ride,
  { seconds, perSecond }: { readonly seconds: number; readonly perSecond: number },
): Promise<readonly number[]> {
  const startedAtMs = performance.now()
  let count = 0
  while (count < seconds * perSecond) {
    const due = Math.min(seconds * perSecond, Math.floor(((performance.now() - startedAtMs) * perSecond) / 1000))
    for (; count < due; count++) send(ride, count)
    await sleep(TICK_MS)
  }
  await sleep(LATE_MS)
  return [...ride.latencies]
}

function send({ passengers, sent }: Ride, count: number): void {
  const from = passengers[count % PASSENGERS]
  const to = passengers[Math.floor(Math.random() * PASSENGERS)]
  if (from === undefined || to === undefined) return
  sent.set(`m-${count}`, performance.now())
  from.say(to.id, `m-${count}`)
}

/** @returns until a signal passes between all processes again; undefined when it never did */
async function loseRedis(ride: Ride, redis: TestRedis, children: readonly Child[]): Promise<number | undefined> {
  await redis.kill()
  await untilAll(children, ({ neighbours }) => neighbours === 0)
  await redis.start()
  const startedAtMs = performance.now()
  ride.sent.clear()
  const first = Array.from({ length: PROCESSES }, (_, home) => ride.passengers.find((one) => one.home === home))
  for (let round = 0; performance.now() - startedAtMs < WAIT_MS; round++) {
    const sids = first.flatMap((from) =>
      first.flatMap((to) => {
        if (from === undefined || to === undefined || from === to) return []
        const sid = `r-${round}-${from.home}-${to.home}`
        ride.sent.set(sid, performance.now())
        from.say(to.id, sid)
        return [sid]
      }),
    )
    // Each says fewer than the twenty in a second that it may.
    await sleep(500)
    if (sids.every((sid) => !ride.sent.has(sid))) return performance.now() - startedAtMs
  }
  return undefined
}

/** @returns until nobody believes any more that one of its visitors is there */
async function loseProcess({ passengers }: Ride, children: readonly Child[]): Promise<number | undefined> {
  const lost = new Set(passengers.filter(({ home }) => home === 0).map(({ id }) => id))
  const others = passengers.filter(({ home }) => home !== 0)
  const isTold = (): boolean => others.every(({ knows }) => ![...knows].some((id) => lost.has(id)))
  if (isTold()) throw new Error('nobody knew a visitor of the process that is to be killed')
  const startedAtMs = performance.now()
  await children[0]?.kill()
  while (!isTold()) {
    if (performance.now() - startedAtMs > WAIT_MS) return undefined
    await sleep(TICK_MS)
  }
  return performance.now() - startedAtMs
}

async function untilAll(children: readonly Child[], isSo: (counts: SignalingCounts) => boolean): Promise<void> {
  const endsAtMs = performance.now() + WAIT_MS
  for (;;) {
    const counts = await Promise.all(children.map((child) => child.call<SignalingCounts>('counts')))
    if (counts.every(isSo)) return
    if (performance.now() > endsAtMs) throw new Error(`the processes did not come to agree: ${JSON.stringify(counts)}`)
    await sleep(TICK_MS)
  }
}

interface Found {
  readonly perSecond: number
  readonly sent: number
  readonly latencies: readonly number[]
  readonly wholeMs: number | undefined
  readonly leftMs: number | undefined
}

function report({ perSecond, sent, latencies, wholeMs, leftMs }: Found): BenchOutput {
  const sorted = latencies.toSorted((a, b) => a - b)
  const part = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Infinity
  const lost = sent - latencies.length
  const verdict = (holds: boolean, text: string): string => `${holds ? 'holds ' : 'MISSED'} ${text}`
  return {
    lines: [
      `${PROCESSES} processes, ${PASSENGERS} visitors, ${perSecond} messages a second, load ${round2(loadavg()[0] ?? 0)}`,
      verdict(
        part(0.99) <= MOST_P99_MS,
        `p99 ${round2(part(0.99))} ms from any to any, at most ${MOST_P99_MS}; median ${round2(part(0.5))} ms`,
      ),
      verdict(lost === 0, `${lost} of ${sent} lost`),
      verdict(
        (wholeMs ?? Infinity) <= MOST_WHOLE_MS,
        `${Math.round(wholeMs ?? Infinity)} ms until rooms were whole after Redis was back, at most ${MOST_WHOLE_MS}`,
      ),
      verdict(
        (leftMs ?? Infinity) <= MOST_LEFT_MS,
        `${Math.round(leftMs ?? Infinity)} ms until visitors of a killed process were told of as gone, at most ${MOST_LEFT_MS}`,
      ),
    ],
    result: {
      bench: 'signaling-processes',
      rows: [
        {
          processes: PROCESSES,
          perSecond,
          p50Ms: round2(part(0.5)),
          p99Ms: round2(part(0.99)),
          lost,
          wholeMs: wholeMs === undefined ? null : Math.round(wholeMs),
          leftMs: leftMs === undefined ? null : Math.round(leftMs),
        },
      ],
    },
  }
}
