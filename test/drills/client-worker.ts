import type { CDPSession, Page } from 'puppeteer-core'
import { sentBytes } from './evidence.ts'
import type { Received } from './receiver.ts'
import {
  goOn,
  nextPieceMs,
  openMidway,
  requireDelivered,
  requireLittleSent,
  slowSingleOrigin,
  until,
  verifiedPieces,
  within,
} from './returning.ts'
import { NO_SOURCES, demand, type DrillRoom, type Outcome } from './scenario.ts'
import { finish, waitForController, waitForSealift } from './visit.ts'

const MIB = 2 ** 20
const WORKER_MS = 1000
const UPDATE_MS = 2000
/** Slowly enough that a body has a middle. */
const READ_PAUSE_MS = 20

declare global {
  interface Window {
    drillFetch?: Promise<Received>
    drillRead?: number
    drillAnsweredMs?: number
    drillControlled?: number[]
  }
}

const virtualUrl = (room: DrillRoom, name = room.agent.name): string => `/_sealift/name/${name}/${name}`

export async function killedWorker(room: DrillRoom): Promise<Outcome> {
  const { stack, agent } = room
  const { page } = await openMidway(room)
  const devtools = await page.createCDPSession()
  const running = await watchRunning(devtools)
  await startFetching(page, virtualUrl(room), room.receiver.url)
  await until(() => running.workers > 0, 'the service worker runs')
  const faultMs = Date.now()
  await devtools.send('ServiceWorker.stopAllWorkers')
  await until(() => running.startedMs > faultMs, 'the service worker is woken again')
  const wokenMs = running.startedMs - faultMs
  const finished = await finish(page)
  const { sources } = await requireDelivered(room, page, finished)
  const answered = await fetched(page)
  demand(answered.sha256 === agent.artifact.sha256, `the request that was waiting got the right SHA-256, not ${answered.sha256}`)
  requireLittleSent(room)
  // Once more while the body is on its way: what the browser holds as a file does not need the worker any more.
  const sent = sentBytes(stack.cdn[0].requests)
  await startFetching(page, virtualUrl(room), room.receiver.url)
  await page.waitForFunction((bytes) => (window.drillRead ?? 0) > bytes, { polling: 20 }, MIB)
  await devtools.send('ServiceWorker.stopAllWorkers')
  demand((await page.evaluate(() => window.drillRead ?? 0)) < agent.artifact.sizeBytes, 'the body was still on its way')
  demand((await fetched(page)).sha256 === agent.artifact.sha256, 'the body that was on its way arrived')
  demand(sentBytes(stack.cdn[0].requests) === sent, 'nothing was fetched for it')
  const recoveryMs = Math.max(nextPieceMs(finished, faultMs), wokenMs)
  return { recoveryMs: within(recoveryMs, WORKER_MS, 'the worker answers again and the next piece is in'), sources }
}

interface Running {
  workers: number
  startedMs: number
}

/** By what the browser tells a page's session of its workers; nothing is attached to them. */
async function watchRunning(devtools: CDPSession): Promise<Running> {
  const running: Running = { workers: 0, startedMs: 0 }
  const byVersion = new Map<string, string>()
  devtools.on('ServiceWorker.workerVersionUpdated', ({ versions }) => {
    for (const { versionId, runningStatus } of versions) {
      if (runningStatus === 'running' && byVersion.get(versionId) !== 'running') running.startedMs = Date.now()
      byVersion.set(versionId, runningStatus)
    }
    running.workers = [...byVersion.values()].filter((status) => status === 'running').length
  })
  await devtools.send('ServiceWorker.enable')
  return running
}

/** Begins a `fetch()` that goes through the service worker; its body is read slowly and hashed by the drill. */
async function startFetching(page: Page, url: string, receiverUrl: string): Promise<void> {
  await page.evaluate(
    (wanted, to, pauseMs) => {
      window.drillRead = 0
      window.drillFetch = (async () => {
        const response = await fetch(wanted)
        if (!response.ok || response.body === null) throw new Error(`the service worker answered ${response.status}`)
        window.drillAnsweredMs = Date.now()
        const chunks: Uint8Array<ArrayBuffer>[] = []
        const reader = response.body.getReader()
        for (;;) {
          const { done, value } = await reader.read()
          if (done) break
          chunks.push(value)
          window.drillRead = (window.drillRead ?? 0) + value.length
          await new Promise((resolve) => setTimeout(resolve, pauseMs))
        }
        const answer = await fetch(to, { method: 'POST', body: new Blob(chunks) })
        const received: Received = await answer.json()
        return received
      })()
      // Whoever waits for it sees the failure.
      window.drillFetch.catch(() => undefined)
    },
    url,
    receiverUrl,
    READ_PAUSE_MS,
  )
}

async function fetched(page: Page): Promise<Received> {
  return page.evaluate(() => {
    if (window.drillFetch === undefined) throw new Error('nothing is being fetched')
    return window.drillFetch
  })
}

/** A hard reload leaves the page without its worker. It gets it back, and goes on from what was kept. */
export async function hardReload(room: DrillRoom): Promise<Outcome> {
  const { page } = await openMidway(room)
  const before = await verifiedPieces(page)
  await page.evaluateOnNewDocument(() => {
    const times: number[] = []
    window.drillControlled = times
    navigator.serviceWorker.addEventListener('controllerchange', () => times.push(performance.now()))
  })
  const session = await page.createCDPSession()
  const loaded = page.waitForNavigation({ waitUntil: 'domcontentloaded' })
  const backMs = Date.now()
  await session.send('Page.reload', { ignoreCache: true })
  await loaded
  await waitForSealift(page)
  await waitForController(page)
  const controlledMs = await page.evaluate(() => window.drillControlled?.[0])
  if (controlledMs === undefined) throw new Error('not so: the page was without its worker, and got it back')
  const outcome = await goOn(room, page, { before, backMs })
  await startFetching(page, virtualUrl(room), room.receiver.url)
  demand((await fetched(page)).sha256 === room.agent.artifact.sha256, 'the service worker answers again')
  return { ...outcome, recoveryMs: within(controlledMs, WORKER_MS, 'the page has its worker again') }
}

/** A newer worker waits for the download, which ends with the older one. */
export async function update(room: DrillRoom): Promise<Outcome> {
  const { stack } = room
  const { page } = await openMidway(room)
  await page.evaluate(() => {
    const times: number[] = []
    window.drillControlled = times
    navigator.serviceWorker.addEventListener('controllerchange', () => times.push(Date.now()))
  })
  await startFetching(page, virtualUrl(room), room.receiver.url)
  stack.portalFiles.set('/sw.js', { type: 'text/javascript', body: `/* newer */${await stack.workerScript()}` })
  demand((await updateWorker(page)) === 'installed', 'the newer worker is installed')
  const finished = await finish(page)
  const { sources } = await requireDelivered(room, page, finished)
  demand((await fetched(page)).sha256 === room.agent.artifact.sha256, 'the request that was waiting got the right SHA-256')
  requireLittleSent(room)
  await page.waitForFunction(() => (window.drillControlled ?? []).length > 0, { polling: 20 })
  const [changedMs = 0, answeredMs = 0] = await page.evaluate(() => [window.drillControlled?.[0], window.drillAnsweredMs])
  demand(changedMs >= finished.endedMs, 'the older worker stayed until the download had ended')
  await startFetching(page, virtualUrl(room), room.receiver.url)
  demand((await fetched(page)).sha256 === room.agent.artifact.sha256, 'the newer worker answers')
  return { recoveryMs: within(changedMs - answeredMs, UPDATE_MS, 'the newer worker is in charge'), sources }
}

/** Whatever is served in its place, the good worker stays, and the download under it too. */
export async function badUpdate(room: DrillRoom): Promise<Outcome> {
  const { stack, agent } = room
  const { page } = await openMidway(room)
  const script = await stack.workerScript()
  const html = '<!doctype html><title>Sign in</title>'
  const bad = [
    { type: 'text/javascript', body: script, cutAfterBytes: Math.floor(script.length * 0.6) },
    { type: 'text/javascript', body: script, cutAfterBytes: script.lastIndexOf('self.sealiftComplete') },
    { type: 'text/javascript', body: 'not found', status: 404 },
    { type: 'text/html', body: html },
    { type: 'text/javascript', body: html },
    { type: 'text/javascript', body: 'busy', status: 503 },
  ] as const
  for (const [at, file] of bad.entries()) {
    stack.portalFiles.set('/sw.js', file)
    const became = await updateWorker(page)
    demand(became === 'refused', `bad script ${at} is refused, not ${became}`)
  }
  const { sources } = await requireDelivered(room, page, await finish(page))
  await page.reload({ waitUntil: 'domcontentloaded' })
  await waitForSealift(page)
  await waitForController(page)
  const sent = sentBytes(stack.cdn[0].requests)
  await startFetching(page, virtualUrl(room), room.receiver.url)
  demand((await fetched(page)).sha256 === agent.artifact.sha256, 'the good worker still answers')
  demand(sentBytes(stack.cdn[0].requests) === sent, 'nothing was fetched for it')
  return { recoveryMs: null, sources }
}

/** Has the browser look for a newer script, and waits for what becomes of it. */
async function updateWorker(page: Page): Promise<'installed' | 'refused' | 'unchanged'> {
  return page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration('/')
    if (registration === undefined) throw new Error('there is no service worker')
    try {
      await registration.update()
    } catch {
      return 'refused'
    }
    const { installing } = registration
    if (installing === null) return registration.waiting === null ? 'unchanged' : 'installed'
    return new Promise<'installed' | 'refused'>((resolve) => {
      installing.addEventListener('statechange', () => resolve(installing.state === 'redundant' ? 'refused' : 'installed'), { once: true })
    })
  })
}

const STARTED = '/drill/worker-started'
/** Firefox ends a worker that has had nothing to do for 30 s. Requests of the page count as something to do. */
const IDLE_MS = 30_000
const QUIET_MS = 45_000
const FIREFOX_MS = 150_000
const WAKING_MS = 5000

/** A page that drives itself: what it tells with its requests is all that is known of it. */
const driver = (room: DrillRoom, label: string): string => `
import { register } from '/page.js'
const tell = (what) => fetch('/drill/' + what, { method: 'HEAD', cache: 'no-store' })
const post = (at, body) => fetch(${JSON.stringify(`${room.receiver.url}${label}`)} + at, { method: 'POST', body })
try {
  const sealift = await register()
  await tell(sealift.hasController ? 'controlled' : 'without-worker')
  const { file } = await sealift.download(${JSON.stringify(room.agent.name)}).result
  await post('-page', file)
  await tell('quiet')
  await new Promise((resolve) => setTimeout(resolve, ${QUIET_MS}))
  const startedMs = performance.now()
  const response = await fetch(${JSON.stringify(virtualUrl(room))})
  const tookMs = performance.now() - startedMs
  const body = await response.blob()
  await tell('answered-' + response.status + '-' + Math.round(tookMs))
  await post('-worker', body)
} catch (error) {
  await tell('failed-' + encodeURIComponent(String(error)))
}
`

/** Asked after it was ended for its idleness, the worker starts anew and answers from what was kept. */
export async function idleWorker(room: DrillRoom): Promise<Outcome> {
  const { stack, agent, receiver } = room
  await slowSingleOrigin(room)
  const label = `idle-${Date.now()}`
  const page = '<!doctype html><title>drive</title><script type="module" src="/drive.js"></script>'
  const tellsStart = `fetch('${STARTED}',{method:'HEAD',cache:'no-store'}).catch(()=>0);`
  stack.portalFiles.set('/drive.html', { type: 'text/html', body: page })
  stack.portalFiles.set('/drive.js', { type: 'text/javascript', body: driver(room, label) })
  stack.portalFiles.set('/sw.js', { type: 'text/javascript', body: `${tellsStart}${await stack.workerScript()}` })
  await room.openFirefox(new URL('/drive.html', stack.urls.portal).href)
  const signal = AbortSignal.any([room.signal, AbortSignal.timeout(FIREFOX_MS)])
  const told = () => stack.portalRequests.filter(({ path }) => path.startsWith('/drill/'))
  const posted = async (what: string): Promise<Received> => {
    try {
      return await receiver.posted(`${label}${what}`, signal)
    } catch (error) {
      const story = told().map(({ path }) => path)
      throw new Error(`nothing came for ${what}; the page told ${story.join(', ')}`, { cause: error })
    }
  }
  for (const what of ['-page', '-worker']) {
    const { sha256 } = await posted(what)
    demand(sha256 === agent.artifact.sha256, `the right SHA-256 comes with ${what}, not ${sha256}`)
  }
  const times = (path: string): readonly number[] => told().flatMap((one) => (one.path === path ? [one.atMs] : []))
  const [quietMs = Number.POSITIVE_INFINITY] = times('/drill/quiet')
  demand(times('/drill/controlled').length === 1, 'the worker was there at the start')
  demand(
    times(STARTED).some((atMs) => atMs > quietMs + IDLE_MS),
    `the worker had been ended, and was started again for the request (${times(STARTED).length} starts)`,
  )
  const sent = sentBytes(stack.cdn[0].requests)
  demand(sent === agent.artifact.sizeBytes, `each byte was sent once (${sent} for ${agent.artifact.sizeBytes})`)
  const tookMs = Number(
    told()
      .find(({ path }) => path.startsWith('/drill/answered-200-'))
      ?.path.split('-')
      .at(-1),
  )
  return { recoveryMs: within(tookMs, WAKING_MS, 'a worker that had been ended answers'), sources: NO_SOURCES }
}
