import type { Page } from 'puppeteer-core'
import { recoveryMs, requireNoPieceTwice, sentBytes, sourcesOf } from './evidence.ts'
import { NO_SOURCES, demand, type DrillRoom, type Outcome, type Scenario } from './scenario.ts'
import {
  allowSharing,
  dataChannelBytes,
  endingWords,
  finish,
  hashAtPage,
  openPortal,
  startDownload,
  waitForController,
  type Finished,
} from './visit.ts'

/** Whether the portal's own origin is there when the download starts. */
type Portal = 'up' | 'down'

const HOUR_SECONDS = 3600

const SCENARIOS: readonly (readonly [name: string, run: (room: DrillRoom, portal: Portal) => Promise<Outcome>])[] = [
  ['CDN healthy', cdnHealthy],
  ['CDN down, the gateway delivers', cdnDown],
  ['CDN and gateway down, a second browser profile delivers', meshOnly],
  ['CDN dies at 60 %, the rest comes from elsewhere', cdnDies],
  ['every source sends wrong bytes, none reaches the page', wrongBytes],
]

/** The main promise, with the portal up and with it down after the first visit. */
export const basicScenarios: readonly Scenario[] = (['up', 'down'] as const).flatMap((portal) =>
  SCENARIOS.map(([name, run]) => ({
    group: 'basic' as const,
    name: portal === 'up' ? name : `portal down: ${name}`,
    run: (room: DrillRoom) => run(room, portal),
  })),
)

async function cdnHealthy(room: DrillRoom, portal: Portal): Promise<Outcome> {
  const page = await visit(room, portal)
  await startDownload(page, room.agent.name)
  const { sources } = await requireDelivered(page, room, await finish(page))
  demand(sources.cdn > 0, 'the CDN delivered')
  return { recoveryMs: null, sources }
}

async function cdnDown(room: DrillRoom, portal: Portal): Promise<Outcome> {
  const page = await visit(room, portal)
  await takeDown(room, ['cdn-1', 'cdn-2'])
  await startDownload(page, room.agent.name)
  const finished = await finish(page)
  const { sources } = await requireDelivered(page, room, finished)
  demand(sources.gateway > 0 && sources.cdn === 0, 'the gateway delivered, and the CDN nothing')
  return { recoveryMs: recoveryMs(finished, finished.startedMs, 'cdn'), sources }
}

async function meshOnly(room: DrillRoom, portal: Portal): Promise<Outcome> {
  const { stack, agent } = room
  const seeder = await openPortal((await room.launch()).browser, stack.urls.portal)
  await allowSharing(seeder)
  await startDownload(seeder, agent.name)
  demand((await finish(seeder)).ending.kind === 'delivered', 'the first browser has the artifact')
  const page = await visit(room, portal, allowSharing)
  await takeDown(room, ['cdn-1', 'cdn-2', 'gateway'])
  // Every session token is past its ten minutes then; the membership tickets of the earlier visits are not.
  if (portal === 'down') await stack.set('signaling', { clockAheadSeconds: HOUR_SECONDS })
  await startDownload(page, agent.name)
  const finished = await finish(page)
  const { sources } = await requireDelivered(page, room, finished)
  demand(sources.mesh > 0 && sources.cdn + sources.gateway === 0, 'peers delivered, and nobody else')
  const overWebRtc = await dataChannelBytes(page, agent.artifact.sizeBytes)
  demand(overWebRtc >= agent.artifact.sizeBytes, `WebRTC statistics show all of its bytes (${overWebRtc} of ${agent.artifact.sizeBytes})`)
  return { recoveryMs: recoveryMs(finished, finished.startedMs), sources }
}

/** Requests at once: two to a CDN, three to a gateway. Each may hold one piece that another then brings. */
const LANES_IN_FLIGHT = 5

async function cdnDies(room: DrillRoom, portal: Portal): Promise<Outcome> {
  const { stack, agent } = room
  const { sizeBytes } = agent.artifact
  const page = await visit(room, portal)
  await takeDown(room, ['cdn-2'])
  await stack.set('cdn-1', { dieAfterBytes: Math.floor(sizeBytes * 0.6) })
  await startDownload(page, agent.name)
  const finished = await finish(page)
  const { sources, pieceBytes, receivedBytes } = await requireDelivered(page, room, finished)
  const faultMs = stack.cdn[0].downSinceMs
  if (faultMs === undefined) throw new Error('not so: CDN 1 died on the way')
  demand(sources.cdn > 0 && sources.gateway > 0, 'the CDN and the gateway delivered')
  const served = [...stack.cdn[0].requests, ...(await stack.gateway.requests())]
  requireNoPieceTwice(finished.events, served, pieceBytes)
  // What lay in the dead CDN's socket was sent and never came: it says nothing about the product. What the page received does.
  const inVain = receivedBytes - sizeBytes
  demand(inVain <= LANES_IN_FLIGHT * pieceBytes, `no more was received in vain than was in flight (${inVain} bytes)`)
  return { recoveryMs: recoveryMs(finished, faultMs, 'cdn'), sources }
}

async function wrongBytes(room: DrillRoom, portal: Portal): Promise<Outcome> {
  const { stack, agent } = room
  const page = await visit(room, portal)
  for (const part of ['cdn-1', 'cdn-2', 'gateway'] as const) await stack.set(part, 'wrong-bytes')
  await startDownload(page, agent.name)
  const { ending } = await finish(page)
  demand(ending.kind === 'refused', `the download is refused, not ${ending.kind}`)
  if (ending.kind === 'refused') {
    demand(ending.code === 'sources-exhausted', `its code is sources-exhausted, not ${ending.code}`)
    demand(ending.nextStep.length > 10, 'it says what to do')
  }
  const kept = await page.evaluate(() => window.drill?.file?.size ?? 0)
  demand(kept === 0, 'the page got no byte')
  demand(sentBytes(stack.cdn[0].requests) > 0, 'wrong bytes were really sent')
  return { recoveryMs: null, sources: NO_SOURCES }
}

/** A page of the portal: freshly loaded, or, with the portal down, opened from what the service worker keeps. */
async function visit(room: DrillRoom, portal: Portal, prepare?: (page: Page) => Promise<void>): Promise<Page> {
  const { stack } = room
  const { browser } = await room.launch()
  const page = await openPortal(browser, stack.urls.portal)
  await prepare?.(page)
  await waitForController(page)
  if (portal === 'up') return page
  await stack.set('portal', 'down')
  await page.close()
  const reopened = await openPortal(browser, stack.urls.portal)
  demand(stack.state().portal === 'down', 'the portal is down while its page opens')
  return reopened
}

async function takeDown(room: DrillRoom, parts: readonly ('cdn-1' | 'cdn-2' | 'gateway')[]): Promise<void> {
  for (const part of parts) await room.stack.set(part, 'down')
}

/** The right bytes at the page, and a record that accounts for each piece. */
async function requireDelivered(page: Page, room: DrillRoom, finished: Finished) {
  const { ending } = finished
  if (ending.kind !== 'delivered') throw new Error(`not so: it is delivered; it ended ${endingWords(ending)}`)
  const received = await hashAtPage(page, room.receiver.url)
  demand(received.sha256 === room.agent.artifact.sha256, `the page has the right SHA-256, not ${received.sha256}`)
  demand(received.sizeBytes === room.agent.artifact.sizeBytes, 'the page has every byte')
  demand(ending.record.outcome.kind === 'delivered', 'the record says so')
  const receivedBytes = ending.record.sources.reduce((sum, source) => sum + source.receivedBytes, 0)
  return { sources: sourcesOf(ending.record), pieceBytes: ending.artifact.pieceLengthBytes, receivedBytes }
}
