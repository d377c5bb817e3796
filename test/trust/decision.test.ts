import fc from 'fast-check'
import { beforeAll, expect, test, vi } from 'vitest'
import { decideAll, type Question } from './decision.ts'
import { makeQuestions } from './decision-cases.ts'

/** Raise it for a longer hunt: `SEALIFT_RUNS=100 npx vitest run test/trust/decision.test.ts`. */
const RUNS = Number(process.env['SEALIFT_RUNS'] ?? 2)

vi.setConfig({ testTimeout: Math.max(60_000, RUNS * 5000), hookTimeout: 60_000 })

let questions: readonly Question[]
let answers: ReadonlyMap<string, string>

beforeAll(async () => {
  questions = await makeQuestions()
  const told = await decideAll(JSON.stringify(questions))
  answers = new Map(questions.map(({ name }, i) => [name, told[i] ?? '']))
})

test('each question has a name of its own, and both answers occur', () => {
  expect(answers.size).toBe(questions.length)
  expect([...answers.values()].filter((answer) => answer.includes('"signer"')).length).toBeGreaterThan(10)
  expect([...answers.values()].filter((answer) => answer.includes('untyped'))).toEqual([])
})

test('what is trusted depends on the catalogue, the bundle, the policy, the floor and the clock alone: not on what was asked before', async () => {
  const turned = questions.toReversed()
  expect(await decideAnew(turned)).toEqual(turned.map(({ name }) => answers.get(name)))
  const some = fc.shuffledSubarray([...questions], { minLength: 6, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(some, async (asked) => {
      const again = [...asked, ...asked.slice(0, 3)]
      expect(await decideAnew(again)).toEqual(again.map(({ name }) => answers.get(name)))
    }),
    { numRuns: RUNS },
  )
})

/** As a process that was never asked anything. */
async function decideAnew(asked: readonly Question[]): Promise<readonly string[]> {
  vi.resetModules()
  const fresh = await import('./decision.ts')
  return await fresh.decideAll(JSON.stringify(asked))
}
