// `npm run day [-- --json]`: a whole day of an operator, from a build to a drill, against real parts on this machine.

import { playDay } from '../dist/test/day/operators-day.js'
import { findBrowser } from './browser.mjs'

const browser = findBrowser()
if (browser !== undefined) Object.assign(process.env, browser.env, { SEALIFT_BROWSER: browser.path })
const steps = await playDay()
const passed = steps.filter((step) => step.passed).length
console.log(`${passed} of ${steps.length} steps passed`)
if (process.argv.includes('--json')) console.log(JSON.stringify({ day: { passed, total: steps.length, steps } }))
process.exitCode = passed === steps.length ? 0 : 1
