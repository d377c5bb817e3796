import { judgeFrame, frameOf, newFrameTally } from './frames-target.ts'
import { runSessions } from './frames-session.ts'

export interface FramesRun {
  readonly count: number
  readonly seed: number
  readonly from: number
  readonly isJson: boolean
}

/** One frame in so many is also said to a whole session, which costs more. */
const SESSION_SHARE = 100

/**
 * `npm run fuzz -- frames`: frames through the parser, and a hundredth of them through whole sessions.
 * @returns exit status: 0 when nothing but refusals came of them
 */
export async function runFrames({ count, seed, from, isJson }: FramesRun): Promise<number> {
  console.log(`frames: ${count} from ${from}, seed ${seed}`)
  const startCpu = process.cpuUsage()
  const tally = newFrameTally()
  for (let index = from; index < from + count; index++) judgeFrame(frameOf(seed, index), tally)
  const heard = newFrameTally()
  const sessions = await runSessions(seed, every(SESSION_SHARE, { from, end: from + count }), heard)
  const { user, system } = process.cpuUsage(startCpu)
  for (const finding of [...tally.findings, ...heard.findings]) console.log(finding)
  const { parsed, skipped, refused, oversized } = tally
  const uncaught = tally.uncaught + heard.uncaught
  const fuzz = { target: 'frames', count, parsed, skipped, refused, uncaught, oversized, sessions, said: heard.count }
  const cpuSeconds = Number(((user + system) / 1e6).toFixed(1))
  if (isJson) console.log(JSON.stringify({ fuzz: { ...fuzz, cpuSeconds } }))
  else
    console.log(
      `${count} frames: ${parsed} read, ${skipped} skipped, ${refused} refused, ${uncaught} uncaught, ${oversized} too large; ${heard.count} said to ${sessions} sessions; ${cpuSeconds} s of work`,
    )
  return uncaught + oversized === 0 ? 0 : 1
}

function* every(step: number, { from, end }: { readonly from: number; readonly end: number }): Generator<number> {
  for (let index = from; index < end; index += step) yield index
}
