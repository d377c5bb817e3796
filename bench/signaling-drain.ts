import type { SignalingCounts } from '../signaling/server.ts'
import { Crowd } from '../test/load/crowd.ts'
import { withinLimit, type LoadPlan } from '../test/load/plan.ts'
import { round2 } from './contest.ts'
import { startChild, type Child } from './delivery/child.ts'
import { startCrowds } from './load/crowds.ts'
import { readOption, type BenchOutput } from './output.ts'
import type { ReturningPlan } from './signaling/returning-process.ts'

const ORIGIN = 'https://portal.example'
const SOCKETS = 10_000
const CLIENTS = 2000
const ROOM = 50
const RATE = 1000
const PROCESSES = 2
/** Both for telling everybody, and for everybody to be back. */
const LIMIT_MS = 10_000
/** How long a restart takes, and how long anybody is waited for. */
const DOWN_MS = 1000
const PATIENCE_MS = 60_000

/**
 * A server that goes: whether everybody is told, and whether all are back when it is.
 * @param args `--sockets N` (10000), `--clients N` (2000)
 */
export async function benchSignalingDrain(args: readonly string[]): Promise<BenchOutput> {
  const { sockets, remark } = withinLimit(Number(readOption(args, '--sockets') ?? SOCKETS))
  const clients = Number(readOption(args, '--clients') ?? CLIENTS)
  const drained = await measureDrain(sockets)
  process.stderr.write(`${sockets} sockets drained\n`)
  const back = { drain: await measureReturn(clients, 'drain'), crash: await measureReturn(clients, 'crash') }
  return {
    lines: [
      verdict(drained.tookMs <= LIMIT_MS, `${sockets} sockets drained in ${round2(drained.tookMs / 1000)} s of at most ${LIMIT_MS / 1000}`),
      verdict(drained.told === sockets, `${drained.told} of ${sockets} were told`),
      ...Object.entries(back).flatMap(([how, { online, tookMs, isMet }]) => [
        verdict(
          online === clients && tookMs <= LIMIT_MS,
          `${online} of ${clients} are back ${round2(tookMs / 1000)} s after a restart by ${how}, of at most ${LIMIT_MS / 1000}`,
        ),
        verdict(isMet, `a late joiner is met after a restart by ${how}`),
      ]),
      ...(remark === undefined ? [] : [remark]),
    ],
    result: { bench: 'signaling-drain', sockets, drainS: round2(drained.tookMs / 1000), told: drained.told, clients, back },
  }
}

async function measureDrain(sockets: number): Promise<{ readonly tookMs: number; readonly told: number }> {
  const { child, url } = await startServer(0)
  const crowds = await startCrowds(planOf(url), sockets)
  try {
    await crowds.open(RATE)
    const startMs = performance.now()
    await child.call('drain')
    const tookMs = performance.now() - startMs
    await until(async () => (await crowds.tally()).open === 0)
    return { tookMs, told: (await crowds.tally()).told }
  } finally {
    await crowds.close()
    await child.close()
  }
}

interface Return {
  readonly online: number
  /** From when the server listens again until all are in their rooms. */
  readonly tookMs: number
  /** Somebody new got an answer from one who came back. */
  readonly isMet: boolean
}

async function measureReturn(clients: number, how: 'drain' | 'crash'): Promise<Return> {
  const first = await startServer(0)
  const groups = await startClients(first.url, clients)
  const online = async (): Promise<number> =>
    (await Promise.all(groups.map((group) => group.call<number>('online')))).reduce((sum, count) => sum + count, 0)
  let server = first
  try {
    await until(async () => (await seatsOf(first.child)) === clients)
    if (how === 'drain') await first.child.call('drain')
    await first.child.close()
    await new Promise((resolve) => setTimeout(resolve, DOWN_MS))
    server = await startServer(Number(new URL(first.url).port))
    const startMs = performance.now()
    await until(async () => (await seatsOf(server.child)) === clients)
    const tookMs = performance.now() - startMs
    const late = new Crowd(planOf(server.url))
    await late.open({ from: 0, end: 1 })
    await late.offer({ from: 0, end: 1 })
    const isMet = late.tally().answered === 1
    await late.close()
    return { online: await online(), tookMs: Math.round(tookMs), isMet }
  } finally {
    await Promise.all(groups.map((group) => group.close()))
    await server.child.close()
  }
}

async function startClients(url: string, clients: number): Promise<readonly Child[]> {
  const share = Math.ceil(clients / PROCESSES)
  return await Promise.all(
    Array.from({ length: PROCESSES }, async (_, at) => {
      const child = await startChild(new URL('./signaling/returning-process.js', import.meta.url))
      const options = { url, origin: ORIGIN, from: at * share, end: Math.min(clients, (at + 1) * share), roomSize: ROOM }
      await child.call('start', options satisfies ReturningPlan)
      return child
    }),
  )
}

async function startServer(port: number): Promise<{ readonly child: Child; readonly url: string }> {
  const child = await startChild(new URL('./signaling/sealift-process.js', import.meta.url))
  return { child, url: await child.call<string>('start', { admission: { kind: 'open' }, origins: [ORIGIN], port }) }
}

function planOf(url: string): LoadPlan {
  return { url, dialect: 'sealift', origin: ORIGIN, roomSize: ROOM, sdpBytes: 1500, key: undefined }
}

async function seatsOf(server: Child): Promise<number> {
  return (await server.call<SignalingCounts>('counts')).seats
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS
  while (!(await isSo()) && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 50))
}

function verdict(isMet: boolean, what: string): string {
  return `${isMet ? 'holds ' : 'MISSED'} ${what}`
}
