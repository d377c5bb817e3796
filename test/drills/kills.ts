import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Page } from 'puppeteer-core'
import { startStack, type Stack } from '../../demo/stack/stack.ts'
import { createSeededRandom } from '../fakes/seeded-random.ts'
import { launchBrowser, type DrillBrowser, type FoundBrowser } from './browser.ts'
import { sentBytes, verifiedAt } from './evidence.ts'
import { readKept, type SignedPieces } from './kept-on-disk.ts'
import { startReceiver, type Receiver } from './receiver.ts'
import { crash, endingWords, finish, hashAtPage, openPortal, startDownload, waitForController } from './visit.ts'

const KINDS = ['browser', 'renderer', 'worker', 'tab'] as const
type Kind = (typeof KINDS)[number]

const MIB = 2 ** 20
const PROJECT = resolve(import.meta.dirname, '..', '..', '..')
/** So that a download takes some seconds, and there are many points in it to kill at. */
const RATE = 16 * MIB
/** A kill comes at most so long after its download began, or went on. */
const LONGEST_MS = 2000
/** After so many kills a download is left to itself, so that every one of them ends. */
const MOST_IN_ONE = 8

interface Tally {
  count: number
  downloads: number
  /** Pieces that were kept when it was killed, and were asked for afterwards. */
  refetched: number
  /** Pieces that the page had been told of as verified, and that are not kept afterwards. */
  lost: number
  /** Kept pieces that are not what was signed, and handed-over files that are not. */
  unverified: number
  /** Downloads that did not end well. */
  unfinished: number
  sentBytes: number
  readonly kinds: Record<Kind, number>
}

/**
 * `npm run kills`: kills what runs a download at points drawn by a seed, comes back on the same profile, and holds what is kept and what the
 * origin was asked for against what was signed and what had been kept.
 * @param args `--count N` (default 200), `--seed N`, `--json`
 * @returns exit status: 0 when nothing was lost, fetched again or wrong
 */
export async function runKills(args: readonly string[], found: FoundBrowser | undefined): Promise<number> {
  const numberOf = (option: string, fallback: number): number => (args.includes(option) ? Number(args[args.indexOf(option) + 1]) : fallback)
  const count = numberOf('--count', 200)
  const seed = numberOf('--seed', Math.floor(Math.random() * 2 ** 31))
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(seed)) {
    console.error('usage: npm run kills -- [--count N] [--seed N] [--json]')
    return 2
  }
  if (found === undefined) {
    console.error('There is no Chromium on this machine. npm run browser gets one.')
    return 2
  }
  const startedMs = performance.now()
  const tally: Tally = {
    count: 0,
    downloads: 0,
    refetched: 0,
    lost: 0,
    unverified: 0,
    unfinished: 0,
    sentBytes: 0,
    kinds: { browser: 0, renderer: 0, worker: 0, tab: 0 },
  }
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => stop.abort(new Error('the run was ended')))
  const stack = await startStack({ project: PROJECT, cdnBytesPerSecond: RATE }, stop.signal)
  const receiver = await startReceiver()
  try {
    await stack.set('cdn-2', 'down')
    await stack.set('gateway', 'down')
    const signed = await signedPieces(stack)
    const random = createSeededRandom(seed)
    while (tally.count < count && !stop.signal.aborted) await oneDownload({ stack, receiver, found, signed, tally, random, count })
  } finally {
    await receiver.close()
    await stack.close()
  }
  const { kinds, ...figures } = tally
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  const line = { bench: 'kills', ...figures, ...kinds, seed, seconds }
  console.log(args.includes('--json') ? JSON.stringify(line) : line)
  const isWell = tally.refetched + tally.lost + tally.unverified + tally.unfinished === 0
  return isWell && tally.count >= count ? 0 : 1
}

interface Room {
  readonly stack: Stack
  readonly receiver: Receiver
  readonly found: FoundBrowser
  readonly signed: SignedPieces
  readonly tally: Tally
  readonly random: () => number
  readonly count: number
}

/** From this moment on these pieces were known to be kept: who asks for one of them asks in vain. */
interface Watch {
  readonly sinceMs: number
  readonly safe: ReadonlySet<number>
  readonly words: string
}

/** Where the download runs now. */
interface Place {
  browser: DrillBrowser
  page: Page
  readonly watches: Watch[]
}

/** One download on a fresh profile, killed again and again until it is through. */
async function oneDownload(room: Room): Promise<void> {
  const { stack, found, tally, random, count } = room
  tally.downloads++
  stack.cdn[0].forgetRequests()
  const browser = await launchBrowser(found)
  const place: Place = { browser, page: await openPortal(browser.browser, stack.urls.portal), watches: [] }
  try {
    await begin(room, place.page)
    for (let kills = 0; kills < MOST_IN_ONE && tally.count < count; kills++) {
      const kind = KINDS[Math.floor(random() * KINDS.length)] ?? 'tab'
      if (await hasEndedWithin(place.page, random() * LONGEST_MS)) break
      await killOnce(room, place, kind)
    }
    await end(room, place)
    console.log(`download ${tally.downloads}: killed ${place.watches.map(({ words }) => words).join(', ') || 'never'}`)
  } catch (error) {
    tally.unfinished++
    const story = place.watches.map(({ words }) => words).join(', ')
    console.log(`download ${tally.downloads}, killed ${story}: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    await place.browser.close()
  }
}

/** Starts the download, and a `fetch()` beside it that waits in the service worker. */
async function begin({ signed }: Room, page: Page): Promise<void> {
  await waitForController(page)
  await startDownload(page, signed.sha256)
  await page.evaluate((url) => {
    // Whether it is answered is for other drills: here it keeps the worker at work.
    fetch(url).catch(() => undefined)
  }, `/_sealift/sha256/${signed.sha256}/x`)
}

async function hasEndedWithin(page: Page, ms: number): Promise<boolean> {
  const ended = await page
    .waitForFunction(() => window.drill?.ending !== undefined, { polling: 20, timeout: Math.max(1, Math.round(ms)) })
    .catch((error: unknown) => {
      if (error instanceof Error && error.name === 'TimeoutError') return undefined
      throw error
    })
  return ended !== undefined
}

async function killOnce(room: Room, place: Place, kind: Kind): Promise<void> {
  const { signed, tally } = room
  const told = new Set(verifiedAt(await place.page.evaluate(() => window.drill?.events ?? [])).keys())
  const killedMs = Date.now()
  await kill(room, place, kind)
  tally.count++
  tally.kinds[kind]++
  const { kept, wrong } = await readKept(place.page, signed)
  const lost = [...told].filter((piece) => !kept.includes(piece))
  tally.lost += lost.length
  tally.unverified += wrong.length
  if (lost.length > 0) console.log(`kill ${tally.count}, ${kind}: not kept any more: ${lost.join(', ')}`)
  if (wrong.length > 0) console.log(`kill ${tally.count}, ${kind}: kept, and not what was signed: ${wrong.join(', ')}`)
  const words = `${kind} at ${told.size} of ${signed.hashes.length}`
  if (kind === 'worker') place.watches.push({ sinceMs: killedMs, safe: told, words })
  else {
    place.watches.push({ sinceMs: Date.now(), safe: new Set(kept), words })
    await begin(room, place.page)
  }
}

/** Ends something that the download runs in, and comes back to a page that can go on. */
async function kill({ found, stack }: Room, place: Place, kind: Kind): Promise<void> {
  switch (kind) {
    case 'browser': {
      await place.browser.kill()
      place.browser = await launchBrowser(found, { profileDir: place.browser.profileDir })
      break
    }
    case 'renderer':
      await crash(place.page)
      break
    case 'tab':
      await place.page.close()
      break
    case 'worker': {
      const devtools = await place.page.createCDPSession()
      await devtools.send('ServiceWorker.enable')
      await devtools.send('ServiceWorker.stopAllWorkers')
      await devtools.detach()
      return
    }
  }
  place.page = await openPortal(place.browser.browser, stack.urls.portal)
}

/** Lets it end by itself, and looks at what came of it. */
async function end({ stack, receiver, signed, tally }: Room, { page, watches }: Place): Promise<void> {
  const { ending } = await finish(page)
  if (ending.kind !== 'delivered') throw new Error(`it ended ${endingWords(ending)}`)
  const received = await hashAtPage(page, receiver.url)
  if (received.sha256 !== signed.sha256) tally.unverified++
  const { kept, wrong } = await readKept(page, signed)
  tally.unverified += wrong.length
  tally.lost += signed.hashes.length - kept.length
  const { requests } = stack.cdn[0]
  tally.sentBytes += sentBytes(requests)
  for (const { sinceMs, safe, words } of watches) {
    for (const { atMs, start, end } of requests) {
      if (atMs < sinceMs) continue
      for (let piece = Math.floor(start / signed.pieceBytes); piece * signed.pieceBytes < end; piece++) {
        if (!safe.has(piece)) continue
        tally.refetched++
        console.log(
          `download ${tally.downloads}: piece ${piece} was kept when ${words} was killed, and asked for ${atMs - sinceMs} ms later`,
        )
      }
    }
  }
}

/** Cut and hashed here, from the file that was published. */
async function signedPieces({ published, siteDir }: Stack): Promise<SignedPieces> {
  const entry = published.catalogue.artifacts.find(({ name }) => name === 'edge-agent')
  if (entry === undefined) throw new RangeError('expected edge-agent in the catalogue')
  const { sha256, sizeBytes: size } = entry.artifact
  const hashes: string[] = []
  const file = await open(join(siteDir, 'by-hash', 'sha256', sha256))
  try {
    for (let at = 0; at < size; at += MIB) {
      const bytes = Buffer.alloc(Math.min(MIB, size - at))
      await file.read(bytes, 0, bytes.length, at)
      hashes.push(createHash('sha256').update(bytes).digest('hex'))
    }
  } finally {
    await file.close()
  }
  return { sha256, sizeBytes: size, pieceBytes: MIB, hashes }
}
