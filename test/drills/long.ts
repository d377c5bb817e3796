import { sentBytes } from './evidence.ts'
import { slowSingleOrigin, within } from './returning.ts'
import { demand, NO_SOURCES, type DrillRoom, type Outcome, type Scenario } from './scenario.ts'

/** Some 95 MiB at this rate take a minute and a half: longer than Firefox lets a worker live by itself, and than most proxies wait. */
const RATE = 2 ** 20
const LEAST_MS = 80_000
const MOST_MS = 150_000

/** A request that a service worker keeps waiting for minutes. Nobody drives these browsers: a debugger would keep the worker alive. */
export const longScenarios: readonly Scenario[] = [
  {
    group: 'long',
    name: 'a fetch() through the service worker lasts 90 s, in Chromium',
    run: (room) => answerLate(room, room.openChromium),
  },
  {
    group: 'long',
    name: 'a fetch() through the service worker lasts 90 s, in Firefox',
    needs: 'firefox',
    run: (room) => answerLate(room, room.openFirefox),
  },
]

/** A page that drives itself. While it waits it sends nothing: requests of its own would keep the worker alive. */
const driver = (room: DrillRoom, label: string): string => `
import { register } from '/page.js'
const tell = (what) => fetch('/drill/' + what, { method: 'HEAD', cache: 'no-store' })
try {
  const sealift = await register()
  while (navigator.serviceWorker.controller?.state !== 'activated') await new Promise((resolve) => setTimeout(resolve, 50))
  await tell('asked')
  const startedMs = performance.now()
  const response = await fetch(${JSON.stringify(`/_sealift/name/${room.agent.name}/${room.agent.name}`)})
  const tookMs = performance.now() - startedMs
  const body = await response.blob()
  await tell('answered-' + response.status + '-' + Math.round(tookMs))
  await fetch(${JSON.stringify(`${room.receiver.url}${label}`)}, { method: 'POST', body })
} catch (error) {
  await tell('failed-' + encodeURIComponent(String(error)))
}
`

async function answerLate(room: DrillRoom, open: (url: string) => Promise<void>): Promise<Outcome> {
  const { stack, agent, receiver, signal } = room
  await slowSingleOrigin(room, RATE)
  const label = `long-${Date.now()}`
  const page = '<!doctype html><title>drive</title><script type="module" src="/drive.js"></script>'
  stack.portalFiles.set('/drive.html', { type: 'text/html', body: page })
  stack.portalFiles.set('/drive.js', { type: 'text/javascript', body: driver(room, label) })
  await open(new URL('/drive.html', stack.urls.portal).href)
  const told = () => stack.portalRequests.filter(({ path }) => path.startsWith('/drill/')).map(({ path }) => path)
  const received = await receiver.posted(label, signal).catch((error: unknown) => {
    throw new Error(`nothing came; the page told ${told().join(', ')}`, { cause: error })
  })
  demand(received.sha256 === agent.artifact.sha256, `the page got the right SHA-256, not ${received.sha256}`)
  const sent = sentBytes(stack.cdn[0].requests)
  demand(sent === agent.artifact.sizeBytes, `each byte was sent once (${sent} for ${agent.artifact.sizeBytes})`)
  const answer = told().find((path) => path.startsWith('/drill/answered-')) ?? ''
  const [status = '', tookMs = ''] = answer.split('-').slice(1)
  demand(status === '200', `it was answered with 200, not ${status}`)
  demand(Number(tookMs) >= LEAST_MS, `it had to wait (${tookMs} ms)`)
  return { recoveryMs: within(Number(tookMs), MOST_MS, 'it is answered'), sources: NO_SOURCES }
}
