import { publishFiles, startSite } from '../test/browser/site.ts'
import { startFirefox } from '../test/browser/start-browser.ts'
import { readOption, type BenchOutput } from './output.ts'
import type { BenchTools } from './tools.ts'

const DEFAULT_VISITS = 250
/** A visit takes a second at most. */
const PATIENCE_MS = 8000

/**
 * How many first visits with Firefox hang, each to a portal of an origin of its own: see docs/decisions/0023.
 * @param args `--visits N` (250); @throws {Error} when there is no Firefox
 */
export async function benchFirstVisits({ firefox }: BenchTools, args: readonly string[]): Promise<BenchOutput> {
  if (firefox === undefined) throw new Error('There is no Firefox on this machine.')
  const visits = Number(readOption(args, '--visits') ?? DEFAULT_VISITS)
  const publication = await publishFiles()
  const launched = await startFirefox(firefox)
  let hung = 0
  try {
    for (let visit = 0; visit < visits; visit++) {
      const site = await startSite(publication)
      const page = await launched.browser.newPage()
      await page.goto(site.url)
      await page.waitForFunction(() => 'sealift' in window, { timeout: PATIENCE_MS }).catch(() => hung++)
      await page.close()
      await site.close()
    }
  } finally {
    await launched.close()
    await publication.remove()
  }
  return { lines: [`${hung} of ${visits} first visits hung`], result: { bench: 'first-visits', visits, hung } }
}
