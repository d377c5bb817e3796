import { goOn, openMidway, verifiedPieces } from './returning.ts'
import type { DrillRoom, Outcome, Scenario } from './scenario.ts'
import { waitForSealift } from './visit.ts'

/** What was verified before an interruption that the user makes is not fetched again. The faults of a client are in `client.ts`. */
export const resumeScenarios: readonly Scenario[] = [{ group: 'resume', name: 'the page is reloaded', run: reload }]

async function reload(room: DrillRoom): Promise<Outcome> {
  const { page } = await openMidway(room)
  const before = await verifiedPieces(page)
  const backMs = Date.now()
  await page.reload({ waitUntil: 'domcontentloaded' })
  await waitForSealift(page)
  return goOn(room, page, { before, backMs })
}
