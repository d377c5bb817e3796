import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { serveFiles } from '../../test/browser/serve.ts'
import { installApart } from '../install-apart.ts'
import { measure, type Contestant, type PageResult } from './contestant.ts'
import { startTracker } from './hub.ts'
import { siteOf, type Stage } from './stage.ts'

declare global {
  interface Window {
    webTorrentSeed?: (tracker: string, bytes: number) => Promise<number[]>
    webTorrentLeech?: (tracker: string, torrent: readonly number[], limitMs: number) => Promise<PageResult>
  }
}

export const WEBTORRENT_VERSION = '3.0.21'

/** As its documentation has it, without what looks for peers elsewhere. */
const PAGE = `
import WebTorrent from '/webtorrent.min.js'
const MIB = 1024 * 1024
const open = () => {
  const client = new WebTorrent({ dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: { rtcConfig: { iceServers: [] } } })
  client.on('error', (error) => console.error(String(error)))
  return client
}
const partOf = (at) => {
  const bytes = new Uint8Array(MIB)
  let state = at + 1
  const words = new Uint32Array(bytes.buffer)
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5
    words[i] = state
  }
  return bytes
}
window.webTorrentSeed = async (tracker, bytes) => {
  const file = new File(Array.from({ length: bytes / MIB }, (_, at) => partOf(at)), 'artifact.bin')
  const torrent = await new Promise((resolve) => open().seed(file, { announceList: [[tracker]], pieceLength: MIB }, resolve))
  return Array.from(torrent.torrentFile)
}
window.webTorrentLeech = async (tracker, torrentFile, limitMs) => {
  const client = open()
  const startedAtMs = performance.now()
  window.meshWatch.startedAtMs = startedAtMs
  const torrent = client.add(new Uint8Array(torrentFile), { announce: [tracker] })
  const done = new Promise((resolve, reject) => {
    torrent.once('done', resolve)
    torrent.once('error', reject)
  })
  await Promise.race([done, new Promise((resolve) => setTimeout(resolve, limitMs))])
  return { bytes: torrent.downloaded, tookMs: performance.now() - startedAtMs }
}
`

/** Its distributed build for browsers. */
async function install(): Promise<string> {
  return await readFile(join(await installApart('webtorrent', WEBTORRENT_VERSION), 'dist/webtorrent.min.js'), 'utf8')
}

export async function openWebTorrent(stage: Stage, bytes: number): Promise<Contestant> {
  const site = await serveFiles({
    '/index.html': '<!doctype html><title>WebTorrent</title><script type="module" src="/app.js"></script>',
    '/app.js': PAGE,
    '/webtorrent.min.js': await install(),
  })
  const tracker = await startTracker()
  const [leechUrl, seedUrl] = [await stage.signaling(tracker.url, 'leech'), await stage.signaling(tracker.url, 'seed')]
  const open = async (at: number): Promise<Page> => {
    await stage.forget(siteOf(site.port, at), at)
    const page = await stage.open(siteOf(site.port, at), at)
    await page.waitForFunction(() => window.webTorrentSeed !== undefined)
    return page
  }
  const seeds: Page[] = []
  let torrent: readonly number[] = []
  for (let at = 1; at <= stage.setup.seeders; at++) {
    const page = await open(at)
    torrent = (await page.evaluate((url, size) => window.webTorrentSeed?.(url, size), seedUrl, bytes)) ?? []
    seeds.push(page)
  }
  return {
    name: 'WebTorrent',
    async run(limitMs) {
      const page = await open(0)
      return await measure(stage, { leech: page, seeds }, async () => {
        const result = await page.evaluate((url, file, ms) => window.webTorrentLeech?.(url, file, ms), leechUrl, torrent, limitMs)
        if (result === undefined) throw new Error('the WebTorrent page did not load')
        return result
      })
    },
    async close() {
      await Promise.all(seeds.map((page) => page.close()))
      await tracker.close()
      await site.close()
    },
  }
}
