import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { newTally, runCases, settleSuspects, type Tally, type Target } from './campaign.ts'
import { keepFindings } from './keep-findings.ts'
import { createTarget, type Plan } from './targets.ts'

/** One that never changes. */
export const KNOWN_SEED = 1
/** One that nobody has tried. */
export const NEW_SEED = Math.floor(Math.random() * 2 ** 32)

/** Runs cases as a landing has to stand them. What goes wrong is told with its seed, and kept with all that repeats it. */
export async function expectToStand(plan: Plan, count: number): Promise<void> {
  const target = await createTarget(plan)
  const tally = newTally()
  await runCases(target, Array.from({ length: count }, (_, i) => i).values(), tally)
  const { slow } = await settleSuspects(target, tally)
  console.log(
    `${plan.name}, seed ${plan.seed}: ${count} cases, ${tally.refused} refused, ${tally.accepted} accepted, ${JSON.stringify(tally.codes)}`,
  )
  expect(await told(plan, target, tally)).toEqual([])
  expect({ count: tally.count, uncaught: tally.uncaught, wrongAccepts: tally.wrongAccepts, slow }).toEqual({
    count,
    uncaught: 0,
    wrongAccepts: 0,
    slow: 0,
  })
  // Else it tests one branch of the parser.
  expect(Object.keys(tally.codes).length).toBeGreaterThan(1)
  expect(tally.accepted).toBeGreaterThan(0)
}

async function told(plan: Plan, target: Target, tally: Tally): Promise<readonly string[]> {
  if (tally.findings.length === 0) return []
  const dir = await mkdtemp(join(tmpdir(), 'sealift-fuzz-'))
  await writeFile(join(dir, 'corpus.json'), JSON.stringify(plan.corpus))
  const lines = await keepFindings(target, tally, { dir, name: `${plan.name}-${plan.seed}` })
  return lines.map((line) => `seed ${plan.seed}, ${line}`)
}
