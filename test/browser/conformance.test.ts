import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findBrowser, findFirefox } from '../../scripts/browser.mjs'
import type { Row } from '../conformance/judge.ts'
import { runConformance } from '../conformance/run.ts'
import { makeVectors, type Vector } from '../conformance/vectors.ts'
import { writeVectors } from '../conformance/write-vectors.ts'

const BUILT = fileURLToPath(new URL('../../dist/conformance', import.meta.url))
/** Hundreds of verifications in each of four places: seconds on an idle machine, minutes on one that is busy with other things. */
const RUN_MS = 480_000

let folder: string
let vectors: readonly Vector[]
beforeAll(async () => {
  if (!existsSync(BUILT)) throw new Error('nothing is built yet: run `npm run build` first')
  folder = await mkdtemp(join(tmpdir(), 'sealift-vectors-'))
  vectors = await makeVectors()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function run(cases: string, ...args: readonly string[]) {
  const lines: string[] = []
  const found = { chromium: findBrowser(), firefox: findFirefox() }
  const exitCode = await runConformance(['--cases', cases, '--json', ...args], { built: BUILT, found, print: (line) => lines.push(line) })
  const rows: readonly Row[] = JSON.parse(lines.at(-1) ?? 'null').conformance.rows
  return { exitCode, rows, lines }
}

describe('the built verifier, in every place', () => {
  test('judges each of our cases as its name says, and everywhere alike', { timeout: RUN_MS }, async () => {
    const cases = join(folder, 'all')
    await writeVectors(cases, vectors)
    const { exitCode, rows, lines } = await run(cases)
    const refused = vectors.filter(({ name }) => name.endsWith('_fail')).length
    const accepted = vectors.length - refused
    const places = findFirefox() === undefined ? ['page', 'service-worker', 'node'] : ['page', 'service-worker', 'firefox', 'node']
    const row = (place: string) => ({ place, accept: [2 * accepted, 2 * accepted], reject: [2 * refused, 2 * refused], disagree: [] })
    expect(rows).toEqual(places.map(row))
    expect(lines).toContain(
      `Verdicts case by case: identical, refusal codes included, for all ${2 * vectors.length} questions in ${places.join(', ')}`,
    )
    expect(exitCode).toBe(0)
  })

  test('is not believed when a case says otherwise than its name', { timeout: RUN_MS }, async () => {
    const [good, forged] = ['message', 'message-signature-of-other_fail'].map((name) => vectors.find((vector) => vector.name === name))
    if (good === undefined || forged === undefined) throw new TypeError('expected these vectors')
    const cases = join(folder, 'misnamed')
    await writeVectors(cases, [
      { ...good, name: 'good_fail' },
      { ...forged, name: 'forged' },
    ])
    const { exitCode, rows } = await run(cases, '--place', 'page,service-worker', '--place', 'node')
    const disagree = ['forged (artifact)', 'forged (digest)', 'good_fail (artifact)', 'good_fail (digest)']
    expect(rows).toEqual(['page', 'service-worker', 'node'].map((place) => ({ place, accept: [0, 2], reject: [0, 2], disagree })))
    expect(exitCode).toBe(1)
  })
})
