import type { CrowdTally } from '../../test/load/crowd.ts'
import { LOAD_USAGE, readLoadOptions, type LoadOptions } from '../../test/load/options.ts'
import { withinLimit } from '../../test/load/plan.ts'
import { round2 } from '../contest.ts'
import { startCrowds } from './crowds.ts'

/** `npm run load`. @returns exit status: 0 when every socket joined and every offer was answered; 2 for wrong options */
export async function runLoad(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(LOAD_USAGE)
    return 0
  }
  let options: LoadOptions
  try {
    options = readLoadOptions(args)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return 2
  }
  const { sockets, remark } = withinLimit(options.sockets)
  if (remark !== undefined) process.stderr.write(`${remark}\n`)
  const tally = await load({ ...options, sockets })
  const { joined, answered, failed, lost } = tally
  const result = { sockets, joined, answered, failed, lost, joinMs: middleAndTail(tally.joinMs), answerMs: middleAndTail(tally.answerMs) }
  if (options.isJson) process.stdout.write(`${JSON.stringify({ load: result })}\n`)
  return failed + lost === 0 && joined >= sockets ? 0 : 1
}

async function load({ plan, sockets, rate, idleSeconds, churn }: LoadOptions): Promise<CrowdTally> {
  const crowds = await startCrowds(plan, sockets)
  const tell = async (what: string): Promise<void> => {
    const { open, joined, answered, failed, lost } = await crowds.tally()
    process.stdout.write(`${what}: ${open} open, ${joined} joined, ${answered} answered, ${failed} failed, ${lost} lost\n`)
  }
  try {
    await crowds.open(rate)
    await tell('joined')
    await crowds.offer()
    await tell('introduced')
    if (churn > 0) await crowds.churn(churn, idleSeconds)
    else await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000))
    await tell('stayed')
    return await crowds.tally()
  } finally {
    await crowds.close()
  }
}

function middleAndTail(values: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => round2(sorted[Math.floor(sorted.length * share)] ?? 0)
  return { p50: at(0.5), p99: at(0.99) }
}
