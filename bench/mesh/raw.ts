import type { Page } from 'puppeteer-core'
import { serveFiles } from '../../test/browser/serve.ts'
import type { BenchTools } from '../tools.ts'
import { built } from '../trust/contestants.ts'
import { measure, type Contestant } from './contestant.ts'
import { startNameHub } from './hub.ts'
import type { leech, seed } from './raw-page.ts'
import type { RawShape } from './setups.ts'
import { siteOf, type Stage } from './stage.ts'

declare global {
  interface Window {
    rawPage?: { readonly seed: typeof seed; readonly leech: typeof leech }
  }
}

const KIB = 1024

/** One contestant for each shape; they share their pages. */
export async function openRaw(stage: Stage, tools: BenchTools, bytes: number): Promise<readonly Contestant[]> {
  const site = await serveFiles({
    '/index.html': '<!doctype html><title>raw</title><script src="/raw.js"></script>',
    '/raw.js': await tools.bundle({ entry: built('../mesh/raw-page.js'), name: 'rawPage' }),
  })
  const hub = await startNameHub()
  const [leechUrl, seedUrl] = [await stage.signaling(hub.url, 'leech'), await stage.signaling(hub.url, 'seed')]
  const seeds: Page[] = []
  const names: string[] = []
  for (let at = 1; at <= stage.setup.seeders; at++) {
    const page = await stage.open(siteOf(site.port, at), at)
    await page.evaluate((url, name) => window.rawPage?.seed(url, name), seedUrl, `seed-${at}`)
    seeds.push(page)
    names.push(`seed-${at}`)
  }
  let users = stage.setup.raw.length
  return stage.setup.raw.map((shape) => ({
    name: `raw ${wordsOf(shape)}`,
    async run(limitMs) {
      const page = await stage.open(siteOf(site.port, 0), 0)
      return await measure(stage, { leech: page, seeds }, async () => {
        const result = await page.evaluate((url, job) => window.rawPage?.leech(url, job), leechUrl, {
          ...shape,
          seeders: names,
          bytes,
          limitMs,
        })
        if (result === undefined) throw new Error('the raw page did not load')
        return result
      })
    },
    async close() {
      if (--users > 0) return
      await Promise.all(seeds.map((page) => page.close()))
      await hub.close()
      await site.close()
    },
  }))
}

function wordsOf({ windowBytes, connections }: RawShape): string {
  return `${connections === 1 ? '' : `${connections} x `}${windowBytes / KIB} KiB`
}
