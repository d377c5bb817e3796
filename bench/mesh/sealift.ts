import { createServer } from 'node:http'
import type { Page } from 'puppeteer-core'
import type { register, Sealift } from 'sealift/page'
import { startSignaling } from '../../signaling/server.ts'
import { serveFiles } from '../../test/browser/serve.ts'
import { startContentFarm } from '../delivery/content-farm.ts'
import { readScripts } from '../delivery/portal.ts'
import type { Publication } from '../delivery/publication.ts'
import { measure, type Contestant, type PageResult } from './contestant.ts'
import { siteOf, type Stage } from './stage.ts'

declare global {
  interface Window {
    openMesh?: (configUrl: string, hasConsent: boolean) => Promise<void>
    giveArtifact?: (name: string) => Promise<void>
    takeArtifact?: (name: string, limitMs: number) => Promise<PageResult & { readonly trace: readonly string[] }>
    sealiftRegister?: typeof register
    sealiftMesh?: Sealift
  }
}

/** A portal's page, as its author would write it. */
const APP = `
import { register } from '/page.js'
window.openMesh = async (configUrl, hasConsent) => {
  window.sealiftMesh = await register({ configUrl, mesh: { consent: hasConsent } })
  await window.sealiftMesh.list()
}
window.giveArtifact = async (name) => {
  await window.sealiftMesh.download(name).result
  window.sealiftMesh.mesh.setConsent(true)
}
window.takeArtifact = async (name, limitMs) => {
  const trace = []
  let bytes = 0
  let pieceBytes = 0
  const startedAtMs = performance.now()
  window.meshWatch.startedAtMs = startedAtMs
  const onEvent = (event) => {
    if (event.kind === 'resolved') pieceBytes = event.artifact.pieceLengthBytes
    if (event.kind === 'progress') for (const { start, end, tier } of event.pieces) if (tier === 'mesh') bytes += (end - start) * pieceBytes
    if (event.kind !== 'progress') trace.push(Math.round(performance.now() - startedAtMs) + ' ' + (event.phase ?? JSON.stringify(event).slice(0, 200)))
  }
  const download = window.sealiftMesh.download(name, { onEvent })
  await Promise.race([download.result, new Promise((resolve) => setTimeout(resolve, limitMs))])
  return { bytes, tookMs: performance.now() - startedAtMs, trace }
}
`

const READY_MS = 20_000

/** Pages of a portal with consent to share; one has nothing, and the sources it knows are gone. From `download()` to the verified, kept file. */
export async function openSealift(stage: Stage, publication: Publication): Promise<Contestant> {
  const files: Record<string, string> = {
    '/index.html': '<!doctype html><title>portal</title><script type="module" src="/app.js"></script>',
    '/app.js': APP,
    ...(await readScripts()),
  }
  const site = await serveFiles(files)
  const [artifact] = publication.artifacts
  if (artifact === undefined) throw new Error('nothing is published')
  const { name, sizeBytes } = artifact
  const places = Array.from({ length: stage.setup.seeders + 1 }, (_, at) => new URL(siteOf(site.port, at)).origin)
  const signaling = await startSignaling({ admission: { kind: 'open' }, origins: places })
  const [leechUrl, seedUrl] = [await stage.signaling(signaling.url, 'leech'), await stage.signaling(signaling.url, 'seed')]
  const configure = (path: string, origin: string, url: string): void => {
    files[path] = JSON.stringify({ ...JSON.parse(publication.siteConfig([origin])), mesh: { mode: 'lan', signaling: [url] } })
  }
  const open = async (at: number, config: string, hasConsent: boolean): Promise<Page> => {
    await stage.forget(siteOf(site.port, at), at)
    const page = await stage.open(siteOf(site.port, at), at)
    await page.waitForFunction(() => window.openMesh !== undefined)
    await page.evaluate((path, may) => window.openMesh?.(path, may), config, hasConsent)
    return page
  }
  const farm = await startContentFarm(publication, 1)
  configure('/seed.json', farm.urls[0] ?? '', seedUrl)
  const seeds: Page[] = []
  for (let at = 1; at <= stage.setup.seeders; at++) {
    const page = await open(at, '/seed.json', false)
    await page.evaluate((wanted) => window.giveArtifact?.(wanted), name)
    await page.waitForFunction(() => window.sealiftMesh?.mesh.isLeader === true, { timeout: READY_MS })
    seeds.push(page)
  }
  // Seeds have all that they need. Nobody can fetch anything over HTTP from here on.
  await farm.close()
  await until(() => signaling.counts().seats >= stage.setup.seeders)
  return {
    name: 'Sealift',
    async run(limitMs) {
      const origin = await startBriefOrigin(publication)
      configure('/leech.json', origin.url, leechUrl)
      const page = await open(0, '/leech.json', true)
      await page.waitForFunction(() => window.sealiftMesh?.mesh.isLeader === true, { timeout: READY_MS })
      await origin.close()
      return await measure(stage, { leech: page, seeds }, async () => {
        const result = await page.evaluate((wanted, ms) => window.takeArtifact?.(wanted, ms), name, limitMs)
        if (result === undefined) throw new Error('the portal did not load')
        if (result.tookMs < limitMs && result.bytes !== sizeBytes) throw new Error(`${result.bytes} bytes from peers of ${sizeBytes}`)
        for (const line of process.env['SEALIFT_BENCH_TRACE'] === undefined ? [] : result.trace) process.stderr.write(`${line}\n`)
        return result
      })
    },
    async close() {
      await Promise.all(seeds.map((page) => page.close()))
      await signaling.kill()
      await site.close()
    },
  }
}

/** Has what describes the artifact, but not the artifact, and not for long. */
async function startBriefOrigin({ files }: Publication): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const body = files.get(request.url ?? '')
    if (body === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'access-control-allow-origin': '*', 'content-length': body.length }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the origin has no port')
  return {
    url: `http://127.0.0.1:${address.port}/`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function until(isSo: () => boolean): Promise<void> {
  const endsAtMs = performance.now() + READY_MS
  while (!isSo()) {
    if (performance.now() > endsAtMs) throw new Error('the seeds did not join their rooms')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
