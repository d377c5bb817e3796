import { cutOff, longOutage, skewedClock } from './client-machine.ts'
import { alteredPiece, evicted, full } from './client-storage.ts'
import { closedTab, crashedRenderer, killedBrowser, twoTabs } from './client-tabs.ts'
import { badUpdate, hardReload, idleWorker, killedWorker, update } from './client-worker.ts'
import type { Scenario } from './scenario.ts'

const CELLS: readonly (readonly [name: string, run: Scenario['run'], needs?: Scenario['needs']])[] = [
  ['K01 the service worker is killed while it answers', killedWorker],
  ['K02 an idle service worker is ended by the browser', idleWorker, 'firefox'],
  ['K03 the tab is closed and opened again', closedTab],
  ['K04 the renderer crashes', crashedRenderer],
  ['K05 the whole browser is killed', killedBrowser],
  ['K06 the machine goes offline and comes back', cutOff],
  ['K07 the disk is full', full],
  ['K08 the browser clears what is kept, under the open page', evicted],
  ['K09 two tabs want the same, and the one that fetches dies', twoTabs],
  ['K10 the service worker is replaced in the middle', update],
  ['K11 a bad service worker is served', badUpdate],
  ['K12 the clock is wrong by 400 days', skewedClock, 'libfaketime'],
  ['K13 a hard reload', hardReload],
  ['K14 a kept piece is altered on disk', alteredPiece],
  ['K15 the line is down so long that an origin rests, and comes back', longOutage],
]

/** What happens to a client while a download runs. No debugger is attached to a service worker: it would keep it alive. */
export const clientScenarios: readonly Scenario[] = CELLS.map(([name, run, needs]) => ({
  group: 'client',
  name,
  run,
  ...(needs === undefined ? {} : { needs }),
}))
