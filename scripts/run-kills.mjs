import { runKills } from '../dist/test/drills/kills.js'
import { findBrowser } from './browser.mjs'

process.exitCode = await runKills(process.argv.slice(2), findBrowser())
