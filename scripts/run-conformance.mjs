// `npm run conformance -- --cases DIR`: what `npm run build` has made, over cases in the layout of the public Sigstore client suite.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { findBrowser, findFirefox } from './browser.mjs'

const built = fileURLToPath(new URL('../dist/conformance', import.meta.url))
const runner = new URL('../dist/test/conformance/run.js', import.meta.url)
if (!existsSync(built) || !existsSync(runner)) {
  console.error('Nothing is built yet. Run `npm run build` first.')
  process.exit(2)
}
const { runConformance } = await import(runner.href)
const found = { chromium: findBrowser(), firefox: findFirefox() }
process.exitCode = await runConformance(process.argv.slice(2), { built, found, print: console.log })
