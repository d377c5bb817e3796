import { createServer, type Server, type ServerResponse } from 'node:http'
import fc from 'fast-check'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { encodeSiteConfig } from '../../src/core/manifest/encode-site-config.ts'
import type { CdnOriginConfig } from '../../src/core/manifest/site-config.ts'
import type { EngineMessage, PageMessage } from '../../src/core/wire/bridge-message.ts'
import { parseEngineMessage } from '../../src/core/wire/parse-engine-message.ts'
import { servePage, type PageServer } from '../../src/engine/serve-page.ts'
import { createProcessLocks } from '../fakes/process-lock.ts'
import { configOf } from './machine.ts'
import { createPublisher, type Publisher } from './publisher.ts'

let publisher: Publisher
let portal: Portal

beforeAll(async () => {
  publisher = await createPublisher()
})
beforeEach(async () => {
  // Node 20 has no Web Locks.
  const withLock = createProcessLocks()
  const request = (name: string, { signal }: { readonly signal: AbortSignal }, work: () => Promise<unknown>) => withLock(name, work, signal)
  vi.stubGlobal('navigator', { locks: { request } })
  portal = await startPortal()
})
afterEach(() => {
  portal.stop()
  vi.unstubAllGlobals()
})

/** The origin of a page: its configuration, and an origin that accepts and says nothing. */
interface Portal {
  readonly url: string
  origins: readonly CdnOriginConfig[]
  stop(): void
}

async function startPortal(): Promise<Portal> {
  const silent = new Set<ServerResponse>()
  const server: Server = createServer((request, response) => {
    if (request.url !== '/sealift.json') silent.add(response)
    else
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(encodeSiteConfig({ ...configOf(publisher), origins: portal.origins }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('expected a port')
  return {
    url: `http://127.0.0.1:${address.port}/`,
    origins: [],
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}

interface Page {
  readonly server: PageServer
  readonly heard: readonly EngineMessage[]
  say(message: PageMessage): void
  hears<T extends EngineMessage['type']>(type: T): Promise<Extract<EngineMessage, { type: T }>>
}

/** Everything that threads do for an engine it can do itself. */
const noThread = (): never => {
  throw new Error('no thread here')
}

/** A window without peers: it hears only what survives the port and the parser, as a real one does. */
function openPage(): Page {
  const heard: EngineMessage[] = []
  const waiting = new Set<() => void>()
  const server = servePage(
    (message) => {
      heard.push(parseEngineMessage(structuredClone(message)))
      if (message.type === 'needs') queueMicrotask(() => server.receive({ type: 'sources', sources: [], isGrowing: false }))
      for (const look of waiting) look()
    },
    { isSecurePage: false, startHashThread: noThread, startFileThread: noThread },
  )
  return {
    server,
    heard,
    say: (message) => server.receive(structuredClone(message)),
    hears: (type) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = heard.find((message): message is Extract<EngineMessage, { type: typeof type }> => message.type === type)
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
  }
}

const open = (): PageMessage => ({ type: 'open', version: 1, configUrl: `${portal.url}sealift.json` })

test('a page that opens the engine is told what a window needs of the site', async () => {
  const page = openPage()
  page.say(open())
  expect(await page.hears('opened')).toMatchObject({ version: 1, site: { repository: 'acme', gateways: [], mesh: { mode: 'off' } } })
})

test('a page of another build is refused by name', async () => {
  const page = openPage()
  page.say({ type: 'open', version: 2, configUrl: portal.url })
  expect(await page.hears('open-failed')).toEqual({ type: 'open-failed', failure: { code: 'version-skew', expected: 1, actual: 2 } })
})

test('a call before the engine is open fails at once', async () => {
  const page = openPage()
  page.say({ type: 'list', call: 7 })
  expect(await page.hears('failed')).toMatchObject({ call: 7, failure: { code: 'engine-lost' } })
})

test('a failure with more reasons than a message may hold reaches the page, in part', async () => {
  portal.origins = Array.from({ length: 20 }, (_, i) => ({ id: `cdn-${i}`, url: `http://127.0.0.1:1/${i}/` }))
  const page = openPage()
  page.say(open())
  page.say({ type: 'list', call: 1 })
  const { failure } = await page.hears('failed')
  if (failure === 'cancelled' || failure.code !== 'catalogue-unavailable') throw new Error(`it failed with ${JSON.stringify(failure)}`)
  expect(failure.reasons).toHaveLength(16)
})

test('a call that the page cancels ends as cancelled, though its source never answers', async () => {
  portal.origins = [{ id: 'cdn-1', url: `${portal.url}silent/` }]
  const page = openPage()
  page.say(open())
  await page.hears('opened')
  page.say({ type: 'list', call: 1 })
  page.say({ type: 'cancel', call: 1 })
  expect(await page.hears('failed')).toEqual({ type: 'failed', call: 1, failure: 'cancelled' })
})

test('whatever else comes over the port is ignored', () => {
  const page = openPage()
  fc.assert(fc.property(fc.anything(), (value) => page.server.receive(value)))
  expect(page.heard).toEqual([])
})
