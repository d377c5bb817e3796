import type { LoadPlan } from '../../test/load/plan.ts'
import type { Child } from '../delivery/child.ts'
import { startCrowds } from '../load/crowds.ts'
import type { Usage } from './usage.ts'

/** What the work cost one server. */
export interface Costs {
  readonly sockets: number
  /** With every socket open and idle. */
  readonly rssMiB: number
  /** What it has grown by since before the first, for each. */
  readonly kibPerSocket: number
  /** Opening, hello and join, or announcement. */
  readonly joinCpuMs: number
  readonly relaysPerCpuS: number
}

const KIB = 1024
const RATE = 1000
/** What was needed for a moment is given back, or not. */
const SETTLE_MS = 3000

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Everybody joins, each has one offer and one answer relayed, then all idle. @throws {Error} when any of that fails */
export async function measureWork(server: Child, plan: LoadPlan, sockets: number): Promise<Costs> {
  const usage = (): Promise<Usage> => server.call<Usage>('usage')
  const crowds = await startCrowds(plan, sockets)
  try {
    const before = await usage()
    await crowds.open(RATE)
    const joined = await usage()
    await crowds.offer()
    const relayed = await usage()
    await pause(SETTLE_MS)
    const idle = await usage()
    const { open, answered, failed, lost } = await crowds.tally()
    if (failed + lost > 0 || open !== sockets || answered < sockets - 1)
      throw new Error(`${sockets} sockets: ${open} open, ${answered} answered, ${failed} failed, ${lost} lost`)
    return {
      sockets,
      rssMiB: idle.rssBytes / KIB / KIB,
      kibPerSocket: (idle.rssBytes - before.rssBytes) / KIB / sockets,
      joinCpuMs: (joined.cpuMs - before.cpuMs) / sockets,
      relaysPerCpuS: (2 * answered) / ((relayed.cpuMs - joined.cpuMs) / 1000),
    }
  } finally {
    await crowds.close()
  }
}
