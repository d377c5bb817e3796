import { runDrill } from '../dist/test/drills/run.js'
import { findBrowser, findFirefox } from './browser.mjs'

const ENDS_WITHIN_MS = 10_000

const status = await runDrill(process.argv.slice(2), findBrowser(), findFirefox())
process.exitCode = status

// A drill that has left something running has failed, and whoever waits for this process must hear of it.
setTimeout(() => {
  console.error(`the drills are over, and did not clear up: ${process.getActiveResourcesInfo().join(', ')}`)
  process.exit(Math.max(status, 1))
}, ENDS_WITHIN_MS).unref()
