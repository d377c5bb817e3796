import type { Verdict } from './answer.ts'
import { PLACES, type Place, type PlaceName } from './places.ts'
import type { ConformanceCase, Input } from './read-cases.ts'

/** What one place said to one question. */
export interface Outcome {
  readonly place: PlaceName
  readonly name: string
  readonly input: Input
  readonly expected: 'accept' | 'reject'
  readonly verdict: Verdict
}

/** One place's result: `[agreeing, total]`, accepts and refusals apart, since who refuses everything is right about most cases. */
export interface Row {
  readonly place: PlaceName
  readonly accept: readonly [number, number]
  readonly reject: readonly [number, number]
  /** Case and input of each verdict that is not the expected one. */
  readonly disagree: readonly string[]
}

/** Far longer than a verification takes on a busy machine. */
const ANSWER_MS = 60_000

/** Asks every place everything. A place that does not answer is asked no more, and what it did not answer is an error. */
export async function askAll(
  cases: readonly ConformanceCase[],
  places: readonly Place[],
  answerMs = ANSWER_MS,
): Promise<readonly Outcome[]> {
  // Node judges in this thread, where it would hold up the others' answers.
  const [inBrowsers, here] = [places.filter(({ name }) => name !== 'node'), places.filter(({ name }) => name === 'node')]
  const answered = await Promise.all(inBrowsers.map((place) => askPlace(cases, place, answerMs)))
  for (const place of here) answered.push(await askPlace(cases, place, answerMs))
  return answered.flat()
}

async function askPlace(cases: readonly ConformanceCase[], place: Place, answerMs: number): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  let lost: string | undefined
  for (const { name, expected, questions } of cases) {
    for (const { input, question } of questions) {
      let verdict: Verdict
      try {
        verdict = lost === undefined ? await withDeadline(place.ask(question), answerMs) : { kind: 'error', detail: lost }
      } catch (error) {
        lost = `${place.name} is lost since ${name} (${input}): ${error instanceof Error ? error.message : String(error)}`
        verdict = { kind: 'error', detail: lost }
      }
      outcomes.push({ place: place.name, name, input, expected, verdict })
    }
  }
  return outcomes
}

async function withDeadline<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

export function agrees({ expected, verdict }: Outcome): boolean {
  return verdict.kind === expected
}

/** One row for each place that answered, in the order in which places are named. */
export function rowsOf(outcomes: readonly Outcome[]): readonly Row[] {
  return PLACES.flatMap((place) => {
    const own = outcomes.filter((outcome) => outcome.place === place)
    const count = (expected: Outcome['expected']): readonly [number, number] => {
      const all = own.filter((outcome) => outcome.expected === expected)
      return [all.filter(agrees).length, all.length]
    }
    const disagree = own.filter((outcome) => !agrees(outcome)).map(questionOf)
    return own.length === 0 ? [] : [{ place, accept: count('accept'), reject: count('reject'), disagree }]
  })
}

/** Questions to which two places gave different verdicts, or refused for different reasons. */
export function differencesOf(outcomes: readonly Outcome[]): readonly string[] {
  return [...byQuestion(outcomes)]
    .filter(([, same]) => new Set(same.map(({ verdict }) => verdictText(verdict))).size > 1)
    .map(([key]) => key)
}

/** The outcomes of each question, by its case and input. */
export function byQuestion(outcomes: readonly Outcome[]): ReadonlyMap<string, readonly Outcome[]> {
  const groups = new Map<string, Outcome[]>()
  for (const outcome of outcomes) {
    const key = questionOf(outcome)
    groups.set(key, [...(groups.get(key) ?? []), outcome])
  }
  return groups
}

/** `accept`, the code of a refusal, or the fault. */
export function verdictText(verdict: Verdict): string {
  if (verdict.kind === 'accept') return 'accept'
  return verdict.kind === 'reject' ? verdict.code : `ERROR ${verdict.detail}`
}

function questionOf({ name, input }: Outcome): string {
  return `${name} (${input})`
}
