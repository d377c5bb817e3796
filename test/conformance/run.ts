import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { agrees, askAll, byQuestion, differencesOf, rowsOf, verdictText, type Outcome, type Row } from './judge.ts'
import { openPlaces, PLACES, type Absence, type FoundBrowsers, type PlaceName } from './places.ts'
import { readCases } from './read-cases.ts'

const USAGE = `usage: npm run conformance -- --cases DIR [--json] [--trusted-root FILE] [--place NAME]...
places: ${PLACES.join(', ')}; all of them by default`

/** Whose browser nobody fetches when it is not installed: left out loudly, unless asked for by name. */
const OPTIONAL: ReadonlySet<PlaceName> = new Set(['firefox'])

export interface Surroundings {
  /** The folder `conformance` that the build left. */
  readonly built: string
  readonly found: FoundBrowsers
  readonly print: (line: string) => void
}

interface Request {
  readonly cases: string
  readonly trustedRoot: string | undefined
  readonly isJson: boolean
  readonly asked: readonly PlaceName[]
}

/** What came of a run. */
export interface Conclusion {
  readonly outcomes: readonly Outcome[]
  readonly asked: readonly PlaceName[]
  readonly missing: ReadonlyMap<PlaceName, Absence>
}

/**
 * `npm run conformance`: every case, with the artifact and with its digest alone, in every place.
 * @returns exit status: 0 when every verdict in every place is the expected one and all places say the same; 1 otherwise; 2 when nothing was run
 */
export async function runConformance(args: readonly string[], { built, found, print }: Surroundings): Promise<number> {
  const request = parseRequest(args)
  if (typeof request === 'string') {
    print(`${request}\n${USAGE}`)
    return 2
  }
  const { cases, problems } = readCases(resolve(request.cases), { trustedRoot: request.trustedRoot })
  if (problems.length > 0) {
    for (const problem of problems) print(`These cases cannot be run: ${problem}`)
    return 2
  }
  const opened = await openPlaces(built, request.asked.length > 0 ? request.asked : PLACES, found)
  try {
    const outcomes = await askAll(cases, opened.places)
    const conclusion = { outcomes, asked: request.asked, missing: opened.missing }
    for (const line of linesOf(conclusion)) print(line)
    if (request.isJson) print(JSON.stringify({ conformance: { rows: rowsOf(outcomes) } }))
    return exitCodeOf(conclusion)
  } finally {
    await opened.close()
  }
}

function parseRequest(args: readonly string[]): Request | string {
  try {
    const options = {
      cases: { type: 'string' },
      'trusted-root': { type: 'string' },
      json: { type: 'boolean' },
      place: { type: 'string', multiple: true },
    } as const
    const { values } = parseArgs({ args: [...args], options })
    if (values.cases === undefined) return 'no --cases'
    const asked = (values.place ?? []).flatMap((names) => names.split(','))
    const unknown = asked.find((name) => !PLACES.some((place) => place === name))
    if (unknown !== undefined) return `there is no place named ${unknown}`
    const trustedRoot = values['trusted-root'] === undefined ? undefined : resolve(values['trusted-root'])
    return { cases: values.cases, trustedRoot, isJson: values.json === true, asked: PLACES.filter((place) => asked.includes(place)) }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** 0 only for a run that says something: all agreed, all alike, and in each place that counts. */
export function exitCodeOf({ outcomes, asked, missing }: Conclusion): number {
  const isComplete = [...missing].every(([place, { isNotInstalled }]) => isNotInstalled && OPTIONAL.has(place) && !asked.includes(place))
  return isComplete && outcomes.length > 0 && outcomes.every(agrees) && differencesOf(outcomes).length === 0 ? 0 : 1
}

/** The report for a person: accepts and refusals apart, then the places side by side. */
export function linesOf({ outcomes, missing }: Conclusion): readonly string[] {
  const questions = [...byQuestion(outcomes)]
  const listed = (expected: Outcome['expected']) => questions.filter(([, [first]]) => first?.expected === expected).map(describeQuestion)
  const places = rowsOf(outcomes).map(({ place }) => place)
  const differences = differencesOf(outcomes)
  const alike =
    differences.length === 0
      ? `identical, refusal codes included, for all ${questions.length} questions in ${places.join(', ')}`
      : `DIFFERENT for ${differences.length} of ${questions.length} questions: ${differences.join(', ')}`
  return [
    'Accepts',
    ...listed('accept'),
    'Refusals',
    ...listed('reject'),
    'Places',
    ...rowsOf(outcomes).map(describeRow),
    ...[...missing].map(([place, { why }]) => `  NOT RUN: ${place}, which is not counted as passed: ${why}`),
    `Verdicts case by case: ${alike}`,
  ]
}

function describeQuestion([question, outcomes]: readonly [string, readonly Outcome[]]): string {
  const texts = new Set(outcomes.map(({ verdict }) => verdictText(verdict)))
  const said = texts.size === 1 ? [...texts] : outcomes.map(({ place, verdict }) => `${place} says ${verdictText(verdict)}`)
  return `  ${outcomes.every(agrees) ? 'ok  ' : 'FAIL'} ${question}: ${said.join('; ')}`
}

function describeRow({ place, accept, reject }: Row): string {
  return `  ${place}: accepts ${accept.join(' of ')}, refusals ${reject.join(' of ')}`
}
