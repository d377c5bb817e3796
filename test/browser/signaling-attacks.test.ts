import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { startHostileSignaling, type HostileSignaling } from '../hostile/hostile-signaling.ts'
import { signalingWatch, watchSignaling } from '../drills/signaling-watch.ts'
import { watchConnections } from '../drills/visit.ts'
import { startMeshSite, type MeshSite } from './mesh-site.ts'
import { openRoom } from './room.ts'
import { everyPieceOnce, piecesAsked } from './site.ts'
import { download, newPage, waitForSdk } from './visitor.ts'

vi.setConfig({ testTimeout: 120_000 })

/** Of one server, however many it names. */
const MOST_DIALS = 8

const room = openRoom()
let liar: HostileSignaling
let site: MeshSite | undefined

beforeAll(async () => {
  liar = await startHostileSignaling({ origins: ['https://nobody.example'] })
  liar.behave({ kind: 'lies' })
})

afterEach(async () => {
  await site?.close()
  site = undefined
})

afterAll(() => liar.close())

test('sg01.lying-server: among peers that are all made up, a download whose site prefers peers comes from the CDN, and few are called', async () => {
  site = await startMeshSite(room.publication, { signalingUrls: () => [liar.url], preset: 'lan-first' })
  const page = await newPage(room.chromium.browser)
  const errors: string[] = []
  page.on('pageerror', (error) => void errors.push(String(error)))
  await page.evaluateOnNewDocument(watchConnections)
  await watchSignaling(page)
  await page.goto(site.url)
  await waitForSdk(page)
  await page.evaluate(() => window.sealift?.mesh.setConsent(true))
  await page.waitForFunction(() => (window.signalingWatch?.sockets[0]?.heard ?? 0) > 0)
  const got = await download(page, 'agent')
  expect(got).toMatchObject({ sha256: room.publication.digests.agent })
  expect(piecesAsked(site, room.publication, 'agent')).toEqual(everyPieceOnce('agent'))
  const { mostDials, sockets } = await signalingWatch(page)
  expect(sockets[0]?.heard).toBeGreaterThan(1)
  expect(mostDials).toBeGreaterThan(1)
  expect(mostDials).toBeLessThanOrEqual(MOST_DIALS)
  expect(errors).toEqual([])
})
