import type { CrowdTally, Span } from '../../test/load/crowd.ts'
import { socketsPerProcess, type LoadPlan } from '../../test/load/plan.ts'
import { startChild, type Child } from '../delivery/child.ts'

/** All sockets of a run, in several processes. */
export interface Crowds {
  /** Opens sockets and has them join, at most so many a second. */
  open(perSecond: number): Promise<void>
  /** One offer and one answer for each socket, as fast as they go. */
  offer(): Promise<void>
  /** For so long, so many leave each second and come again as others. @param onSecond is called after each */
  churn(perSecond: number, seconds: number, onSecond?: (second: number) => Promise<void>): Promise<void>
  tally(): Promise<CrowdTally>
  close(): Promise<void>
}

/** So that they keep one core busy without taking all of both. */
const PROCESSES = 2

export async function startCrowds(plan: LoadPlan, sockets: number): Promise<Crowds> {
  const processes = Math.max(PROCESSES, Math.ceil(sockets / (socketsPerProcess() ?? sockets)))
  const share = Math.ceil(sockets / processes)
  const groups = await Promise.all(
    Array.from({ length: processes }, async (_, at) => {
      const child = await startChild(new URL('./crowd-process.js', import.meta.url))
      await child.call('start', plan)
      return { child, span: { from: at * share, end: Math.min(sockets, (at + 1) * share) } }
    }),
  )
  const all = <T>(act: (child: Child, span: Span) => Promise<T>): Promise<T[]> =>
    Promise.all(groups.map(({ child, span }) => act(child, span)))
  return {
    async open(perSecond) {
      const step = Math.max(1, Math.round(perSecond / processes))
      await all((child, span) =>
        everySecond(Math.ceil((span.end - span.from) / step), async (second) => {
          const from = span.from + second * step
          await child.call('open', { from, end: Math.min(span.end, from + step) } satisfies Span)
        }),
      )
    },
    async offer() {
      await all((child, span) => child.call('offer', span))
    },
    async churn(perSecond, seconds, onSecond) {
      const step = Math.max(1, Math.round(perSecond / processes))
      await everySecond(seconds, async (second) => {
        await all((child) => child.call('churn', step))
        await onSecond?.(second)
      })
    },
    tally: async () => sum(await all((child) => child.call<CrowdTally>('tally'))),
    async close() {
      await all((child) => child.close())
    },
  }
}

/** No sooner than a second after the one before, and no sooner than that is done. */
async function everySecond(times: number, act: (second: number) => Promise<void>): Promise<void> {
  const startMs = performance.now()
  for (let second = 0; second < times; second++) {
    await act(second)
    const restMs = startMs + (second + 1) * 1000 - performance.now()
    if (second + 1 < times && restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs))
  }
}

function sum(tallies: readonly CrowdTally[]): CrowdTally {
  const total = (pick: (tally: CrowdTally) => number): number => tallies.reduce((so, tally) => so + pick(tally), 0)
  return {
    open: total(({ open }) => open),
    joined: total(({ joined }) => joined),
    answered: total(({ answered }) => answered),
    failed: total(({ failed }) => failed),
    lost: total(({ lost }) => lost),
    told: total(({ told }) => told),
    joinMs: tallies.flatMap(({ joinMs }) => joinMs),
    answerMs: tallies.flatMap(({ answerMs }) => answerMs),
  }
}
