import type { Scenario } from './scenario.ts'
import { diesMidway, downAtStart, hangs, restarted, slow } from './signaling-gone.ts'
import { bloats, floods, lies, runsOut } from './signaling-hostile.ts'

const CELLS: readonly (readonly [name: string, run: Scenario['run']])[] = [
  ['S01 signaling is down from the start', downAtStart],
  ['S02 signaling dies in the middle of a download from a peer', diesMidway],
  ['S03 signaling is killed and restarted', restarted],
  ['S04 signaling takes two seconds over each message', slow],
  ['S05 signaling hangs, and its system goes on taking connections', hangs],
  ['S06 signaling names peers who are dead or mirrors', lies],
  ['S07 signaling floods the page with messages', floods],
  ['S07 signaling sends one message of a megabyte', bloats],
  ['S08 the session runs out, and the ticket with it', runsOut('expires')],
  ['S08 the session runs out, and fresh tickets are refused too', runsOut('refuses')],
]

/** A signaling server that goes, hangs, lies or floods. */
export const signalingScenarios: readonly Scenario[] = CELLS.map(([name, run]) => ({ group: 'signaling', name, run }))
