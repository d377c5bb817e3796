import type { SignalingCounts } from '../signaling/server.ts'
import { withinLimit } from '../test/load/plan.ts'
import { slopeOf, type Sample } from '../test/measure/slope.ts'
import { round2 } from './contest.ts'
import { startChild, type Child } from './delivery/child.ts'
import { startCrowds } from './load/crowds.ts'
import { readOption, type BenchOutput } from './output.ts'
import type { Usage } from './signaling/usage.ts'

const ORIGIN = 'https://portal.example'
const SOCKETS = 5000
const MINUTES = 30
const CHURN = 100
const ROOM = 50
const RATE = 500
/** Memory grows until what comes and goes has found its size: so long, but no more than this part of the run. */
const WARM_UP_MINUTES = 5
const WARM_UP_PART = 0.4
const SAMPLE_SECONDS = 2
const TELL_SECONDS = 60
const MIB_PER_MINUTE = 1
const MIB = 1024 * 1024
/** Peers that left without a word are found by then. */
const SETTLE_MS = 5000

/**
 * Sockets that come and go for a long time, and whether the server's memory grows with it.
 * @param args `--minutes N` (30), `--sockets N` (5000), `--churn N` (100 a second)
 */
export async function benchSignalingSoak(args: readonly string[]): Promise<BenchOutput> {
  const { sockets, remark } = withinLimit(Number(readOption(args, '--sockets') ?? SOCKETS))
  const minutes = Number(readOption(args, '--minutes') ?? MINUTES)
  const churn = Number(readOption(args, '--churn') ?? CHURN)
  const server = await startChild(new URL('./signaling/sealift-process.js', import.meta.url))
  try {
    const url = await server.call<string>('start', { admission: { kind: 'open' }, origins: [ORIGIN] })
    const crowds = await startCrowds({ url, dialect: 'sealift', origin: ORIGIN, roomSize: ROOM, sdpBytes: 1500, key: undefined }, sockets)
    const samples: Sample[] = []
    const startMs = performance.now()
    try {
      await crowds.open(RATE)
      await crowds.offer()
      const churnMs = performance.now()
      while (performance.now() < churnMs + minutes * 60_000) {
        await crowds.churn(churn, SAMPLE_SECONDS)
        samples.push(await sampleOf(server, churnMs))
        if (samples.length % (TELL_SECONDS / SAMPLE_SECONDS) === 0) tell(samples)
      }
      const { joined, failed, lost } = await crowds.tally()
      return report({ sockets, minutes, joined, failed, lost, samples, remark, left: await closeAll(server, () => crowds.close()) })
    } finally {
      process.stderr.write(`${round2((performance.now() - startMs) / 60_000)} minutes in all\n`)
      await crowds.close()
    }
  } finally {
    await server.close()
  }
}

async function sampleOf(server: Child, sinceMs: number): Promise<Sample> {
  const { rssBytes } = await server.call<Usage>('usage')
  return { minutes: (performance.now() - sinceMs) / 60_000, value: rssBytes / MIB }
}

function tell(samples: readonly Sample[]): void {
  const last = samples.at(-1)
  if (last !== undefined) process.stderr.write(`${round2(last.minutes)} min: ${round2(last.value)} MiB\n`)
}

/** @returns what the server still holds when nobody is there any more */
async function closeAll(server: Child, close: () => Promise<void>): Promise<number> {
  await close()
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  const { connections, sessions, rooms, seats } = await server.call<SignalingCounts>('counts')
  return connections + sessions + rooms + seats
}

interface Soaked {
  readonly sockets: number
  readonly minutes: number
  readonly joined: number
  readonly failed: number
  readonly lost: number
  readonly samples: readonly Sample[]
  readonly left: number
  readonly remark: string | undefined
}

function report({ sockets, minutes, joined, failed, lost, samples, left, remark }: Soaked): BenchOutput {
  const warmUpMinutes = Math.min(WARM_UP_MINUTES, minutes * WARM_UP_PART)
  const slope = round2(slopeOf(samples.filter((sample) => sample.minutes >= warmUpMinutes)))
  const rssMiB = round2(samples.at(-1)?.value ?? 0)
  const verdict = (isMet: boolean, what: string): string => `${isMet ? 'holds ' : 'MISSED'} ${what}`
  return {
    lines: [
      `${sockets} sockets for ${minutes} minutes: ${joined} joins, ${rssMiB} MiB at the end`,
      verdict(slope < MIB_PER_MINUTE, `${slope} MiB a minute after ${round2(warmUpMinutes)} minutes, of less than ${MIB_PER_MINUTE}`),
      verdict(failed + lost === 0, `${failed} joins or offers failed, ${lost} sockets were lost`),
      verdict(left === 0, `${left} held when all have left`),
      ...(remark === undefined ? [] : [remark]),
    ],
    result: { bench: 'signaling-soak', sockets, minutes, joined, failed, lost, left, rssMiB, mibPerMinute: slope },
  }
}
