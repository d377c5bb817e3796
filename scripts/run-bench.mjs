// `npm run bench -- NAME [--json]`: runs what `npm run build` has made of bench/.

import { existsSync } from 'node:fs'
import { findBrowser, findFirefox } from './browser.mjs'
import { bundleForBrowser } from './bundle-for-browser.mjs'

const main = new URL('../dist/bench/main.js', import.meta.url)
if (!existsSync(main)) {
  console.error('Nothing is built yet. Run `npm run build` first.')
  process.exit(2)
}
const { runBench } = await import(main.href)
process.exit(await runBench(process.argv.slice(2), { browser: findBrowser(), firefox: findFirefox(), bundle: bundleForBrowser }))
