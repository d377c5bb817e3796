import { runDrill } from '../dist/test/drills/run.js'
import { findBrowser, findFirefox } from './browser.mjs'

process.exitCode = await runDrill(process.argv.slice(2), findBrowser(), findFirefox())
