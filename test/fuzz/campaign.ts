/** Something that is given foreign input, and what must hold of its answer. */
export interface Target {
  /** The input of one case: the same for the same seed and corpus. Plain data, so that it can be kept. */
  input(index: number): unknown
  /** How many verifications an input asks for: a file may hold several bundles, and each has its own time. */
  readonly parts?: (input: unknown) => number
  /** Inputs with no damage: how long this machine takes over an honest one. */
  readonly genuine: readonly unknown[]
  /** The judgement, or what gives it: the time of our own looking is not the product's. */
  judge(input: unknown): Promise<Judgement | (() => Judgement)>
}

export type Judgement =
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'accepted' }
  /** Something else than a typed refusal was thrown. */
  | { readonly kind: 'uncaught'; readonly detail: string }
  /** Accepted, and what was accepted is not what was signed. */
  | { readonly kind: 'wrong-accept'; readonly detail: string }

export interface Finding {
  readonly index: number
  readonly kind: 'uncaught' | 'wrong-accept' | 'slow'
  readonly detail: string
}

export interface Tally {
  count: number
  refused: number
  accepted: number
  uncaught: number
  wrongAccepts: number
  slowestMs: number
  /** Refusals by their code. */
  readonly codes: Record<string, number>
  readonly findings: Finding[]
  /** Cases to be timed again with nothing of ours beside them. */
  readonly suspects: number[]
}

/** Longer than this is felt. */
const SLOW_MS = 100
const FINDINGS_KEPT = 50

export function newTally(): Tally {
  return { count: 0, refused: 0, accepted: 0, uncaught: 0, wrongAccepts: 0, slowestMs: 0, codes: {}, findings: [], suspects: [] }
}

/** Judges the cases one after the other, and counts. */
export async function runCases(target: Target, indices: Iterable<number>, tally: Tally): Promise<void> {
  for (const index of indices) {
    const { judgement, elapsedMs } = await timed(target, target.input(index))
    tally.count++
    if (elapsedMs > SLOW_MS) tally.suspects.push(index)
    else tally.slowestMs = Math.max(tally.slowestMs, elapsedMs)
    count(tally, index, judgement)
  }
}

/**
 * Times the suspects again, with nothing of ours beside them: those that are slow each time are findings.
 * @returns how many, and the limit: where this machine takes long over honest input, no more than three times that
 */
export async function settleSuspects(target: Target, tally: Tally): Promise<{ readonly slow: number; readonly limitMs: number }> {
  let honestMs = 0
  for (const input of target.genuine) honestMs = Math.max(honestMs, await bestOf(target, input, 0))
  const limitMs = Math.max(SLOW_MS, 3 * honestMs)
  let slow = 0
  for (const index of tally.suspects) {
    const elapsedMs = await bestOf(target, target.input(index), limitMs)
    tally.slowestMs = Math.max(tally.slowestMs, elapsedMs)
    if (elapsedMs <= limitMs) continue
    slow++
    keep(tally, { index, kind: 'slow', detail: `${elapsedMs.toFixed(0)} ms each time` })
  }
  return { slow, limitMs }
}

/** The shortest of a few attempts; the first that is short enough will do. */
async function bestOf(target: Target, input: unknown, enoughMs: number): Promise<number> {
  let bestMs = Number.POSITIVE_INFINITY
  for (let attempts = 0; attempts < 5 && bestMs > enoughMs; attempts++) bestMs = Math.min(bestMs, (await timed(target, input)).elapsedMs)
  return bestMs
}

export function addTally(sum: Tally, part: Tally): void {
  for (const key of ['count', 'refused', 'accepted', 'uncaught', 'wrongAccepts'] as const) sum[key] += part[key]
  sum.slowestMs = Math.max(sum.slowestMs, part.slowestMs)
  for (const [code, times] of Object.entries(part.codes)) sum.codes[code] = (sum.codes[code] ?? 0) + times
  sum.findings.push(...part.findings)
  sum.suspects.push(...part.suspects)
}

async function timed(target: Target, input: unknown): Promise<{ readonly judgement: Judgement; readonly elapsedMs: number }> {
  const [wallMs, workMs] = [performance.now(), cpuMs()]
  const answer = await target.judge(input)
  const elapsedMs = Math.min(performance.now() - wallMs, cpuMs() - workMs)
  return { judgement: typeof answer === 'function' ? answer() : answer, elapsedMs: elapsedMs / (target.parts?.(input) ?? 1) }
}

/** What this process has worked. Beside it the machine may do anything else, so a clock alone tells too much. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function count(tally: Tally, index: number, judgement: Judgement): void {
  switch (judgement.kind) {
    case 'refused':
      tally.refused++
      tally.codes[judgement.code] = (tally.codes[judgement.code] ?? 0) + 1
      return
    case 'accepted':
      tally.accepted++
      return
    case 'uncaught':
      tally.uncaught++
      return keep(tally, { index, ...judgement })
    case 'wrong-accept':
      tally.wrongAccepts++
      return keep(tally, { index, ...judgement })
  }
}

function keep(tally: Tally, finding: Finding): void {
  if (tally.findings.length < FINDINGS_KEPT) tally.findings.push(finding)
}
