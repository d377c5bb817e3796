import { expect, test } from 'vitest'
import { answerWith, type DrivenQuestion, type Verdict } from './answer.ts'
import { agrees, askAll, differencesOf, rowsOf } from './judge.ts'
import type { Absence, Place, PlaceName } from './places.ts'
import type { ConformanceCase } from './read-cases.ts'
import { exitCodeOf, linesOf } from './run.ts'

const accept: Verdict = { kind: 'accept' }
const refusal = (code: string): Verdict => ({ kind: 'reject', code, detail: code })
const fault: Verdict = { kind: 'error', detail: 'TypeError: x is not a function' }

const question = (bundle: string): DrivenQuestion => ({ bundle, policy: {} })
const caseOf = (name: string): ConformanceCase => ({
  name,
  expected: name.endsWith('_fail') ? 'reject' : 'accept',
  questions: [
    { input: 'artifact', question: question(name) },
    { input: 'digest', question: question(name) },
  ],
})
const CASES = [caseOf('good'), caseOf('forged_fail')]

/** A place that judges by the case's name, but for what is planted. */
const placeThat = (name: PlaceName, planted: Readonly<Record<string, Verdict>> = {}): Place => ({
  name,
  ask: async ({ bundle }) => planted[bundle] ?? (bundle.endsWith('_fail') ? refusal('signature-invalid') : accept),
})

async function concluded(
  places: readonly Place[],
  missing: Readonly<Partial<Record<PlaceName, Absence>>> = {},
  asked: readonly PlaceName[] = [],
) {
  const outcomes = await askAll(CASES, places)
  const absences = new Map<PlaceName, Absence>()
  if (missing.firefox !== undefined) absences.set('firefox', missing.firefox)
  if (missing.page !== undefined) absences.set('page', missing.page)
  const conclusion = { outcomes, asked, missing: absences }
  return {
    rows: rowsOf(outcomes),
    exitCode: exitCodeOf(conclusion),
    text: linesOf(conclusion).join('\n'),
    differences: differencesOf(outcomes),
  }
}

test('places that say what is expected make a run that succeeds, each case counted with the artifact and with the digest', async () => {
  const { rows, exitCode } = await concluded([placeThat('node'), placeThat('page')])
  expect(rows).toEqual([
    { place: 'page', accept: [2, 2], reject: [2, 2], disagree: [] },
    { place: 'node', accept: [2, 2], reject: [2, 2], disagree: [] },
  ])
  expect(exitCode).toBe(0)
})

test('a forged bundle that one place accepts is named, and the run fails', async () => {
  const { rows, exitCode, text } = await concluded([placeThat('page', { forged_fail: accept }), placeThat('node')])
  expect(rows[0]).toEqual({ place: 'page', accept: [2, 2], reject: [0, 2], disagree: ['forged_fail (artifact)', 'forged_fail (digest)'] })
  expect(exitCode).toBe(1)
  expect(text).toContain('FAIL forged_fail (digest): page says accept; node says signature-invalid')
})

test('a good bundle that is refused is named, and the run fails', async () => {
  const { rows, exitCode } = await concluded([placeThat('firefox', { good: refusal('bundle-invalid') })])
  expect(rows).toEqual([{ place: 'firefox', accept: [0, 2], reject: [2, 2], disagree: ['good (artifact)', 'good (digest)'] }])
  expect(exitCode).toBe(1)
})

test('a crash agrees with nothing: it is neither an accept nor a refusal', async () => {
  const { rows, exitCode } = await concluded([placeThat('node', { good: fault, forged_fail: fault })])
  expect(rows[0]?.accept).toEqual([0, 2])
  expect(rows[0]?.reject).toEqual([0, 2])
  expect(exitCode).toBe(1)
})

test('two places that refuse for different reasons make a run fail, though both refusals are right', async () => {
  const { rows, exitCode, differences, text } = await concluded([
    placeThat('page', { forged_fail: refusal('bundle-invalid') }),
    placeThat('node'),
  ])
  expect(rows.flatMap(({ disagree }) => disagree)).toEqual([])
  expect(differences).toEqual(['forged_fail (artifact)', 'forged_fail (digest)'])
  expect(text).toContain('DIFFERENT for 2 of 4 questions')
  expect(exitCode).toBe(1)
})

test('a Firefox that is not installed is said loudly, is in no row, and fails a run only where it was asked for', async () => {
  const missing = { firefox: { why: 'its browser is not installed', isNotInstalled: true } }
  const left = await concluded([placeThat('node')], missing)
  expect(left.rows.map(({ place }) => place)).toEqual(['node'])
  expect(left.text).toContain('NOT RUN: firefox')
  expect(left.exitCode).toBe(0)
  expect((await concluded([placeThat('node')], missing, ['node', 'firefox'])).exitCode).toBe(1)
})

test('a Firefox that is installed and does not start fails the run, and so does a missing Chromium', async () => {
  expect((await concluded([placeThat('node')], { firefox: { why: 'it crashed', isNotInstalled: false } })).exitCode).toBe(1)
  expect((await concluded([placeThat('node')], { page: { why: 'its browser is not installed', isNotInstalled: true } })).exitCode).toBe(1)
})

test('a run in no place at all does not succeed', async () => {
  expect((await concluded([])).exitCode).toBe(1)
})

test('a place that stops answering is asked no more, and what it did not answer is an error', async () => {
  let asked = 0
  const silent: Place = {
    name: 'service-worker',
    ask: () => {
      asked += 1
      return new Promise(() => {})
    },
  }
  const outcomes = await askAll(CASES, [silent], 20)
  expect(asked).toBe(1)
  expect(outcomes).toHaveLength(4)
  expect(outcomes.some(agrees)).toBe(false)
})

test('only a typed refusal is a refusal: what else is thrown, or resolved with, is an error', async () => {
  const ask = (verify: unknown) => answerWith(verify, question(''))
  const typed = Object.assign(new Error('signature-invalid: x'), { name: 'DeliveryError', code: 'signature-invalid' })
  expect(await ask(() => Promise.reject(typed))).toEqual({ kind: 'reject', code: 'signature-invalid', detail: 'signature-invalid: x' })
  expect((await ask(() => Promise.reject(new TypeError('x')))).kind).toBe('error')
  // Node's own errors have codes too.
  expect((await ask(() => Promise.reject(Object.assign(new TypeError('x'), { code: 'ERR_INVALID_ARG_TYPE' })))).kind).toBe('error')
  expect((await ask(() => false)).kind).toBe('error')
  expect((await ask(() => ({ verified: false }))).kind).toBe('error')
  expect((await ask(undefined)).kind).toBe('error')
  expect(await ask(() => ({ verified: true }))).toEqual({ kind: 'accept' })
})
