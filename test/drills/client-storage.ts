import { mkdir, mkdtemp, open, readdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { sentBytes } from './evidence.ts'
import {
  keptPieces,
  firstRequestMs,
  openMidway,
  requireDelivered,
  requireLittleSent,
  slowSingleOrigin,
  verifiedPieces,
  within,
} from './returning.ts'
import { demand, type DrillRoom, type Outcome } from './scenario.ts'
import { endingWords, finish, openPortal, startDownload, waitForController, waitForPieces, type Finished } from './visit.ts'

const MIB = 2 ** 20
const QUOTA_MS = 500
const EVICTION_MS = 2000

/** OPFS, then IndexedDB, then memory up to 64 MiB, and what fits nowhere is a question to the user. */
export async function full(room: DrillRoom): Promise<Outcome> {
  await withoutFileSystem(room)
  const { stack, agent, small } = room
  await slowSingleOrigin(room, 32 * MIB)
  const { browser } = await room.launch()
  const page = await openPortal(browser, stack.urls.portal)
  await waitForController(page)
  const quota = await limitQuota(page, MIB)
  await startDownload(page, small.name)
  const inMemory = await finish(page)
  await requireDelivered(room, page, inMemory, small)
  await startDownload(page, agent.name)
  const refused = await finish(page)
  requireQuestion(refused)
  const recoveryMs = within(refused.endedMs - refused.startedMs, QUOTA_MS, 'a full disk is told')
  demand(
    sentBytes(stack.cdn[0].requests.filter(({ path }) => path.endsWith(agent.artifact.sha256))) === 0,
    'nothing was fetched for nothing',
  )
  // And in the middle of a download, which found room when it began.
  await quota.lift()
  stack.cdn[0].forgetRequests()
  await startDownload(page, agent.name)
  await waitForPieces(page, 20)
  await limitQuota(page, MIB)
  const cut = await finish(page)
  const before = await verifiedPieces(page)
  if (cut.ending.kind !== 'delivered') requireQuestion(cut)
  await quota.lift()
  await startDownload(page, agent.name)
  const finished = await finish(page)
  const { sources } = await requireDelivered(room, page, finished)
  const kept = keptPieces(finished)
  const lost = [...before].filter((piece) => !kept.has(piece))
  demand(lost.length === 0, `what was verified before the disk was full is kept, but ${lost.join(', ')} is not`)
  requireLittleSent(room)
  return { recoveryMs, sources }
}

function requireQuestion({ ending }: Finished): void {
  demand(ending.kind === 'refused' && ending.code === 'quota-exceeded', `it is refused as quota-exceeded; it was ${endingWords(ending)}`)
  if (ending.kind === 'refused') demand(ending.nextStep.length > 10, 'it says what to do')
}

/** A browser whose file system cannot be used: a plain file lies where it would make its folder. */
async function withoutFileSystem(room: DrillRoom): Promise<void> {
  const { stack, small } = room
  const profileDir = await mkdtemp(join(tmpdir(), 'sealift-drill-'))
  await mkdir(join(profileDir, 'Default'))
  await writeFile(join(profileDir, 'Default', 'File System'), 'not a folder')
  const { browser } = await room.launch({ profileDir })
  const page = await openPortal(browser, stack.urls.portal)
  demand(
    await page.evaluate(async () =>
      navigator.storage.getDirectory().then(
        () => false,
        () => true,
      ),
    ),
    'this browser has no file system',
  )
  await startDownload(page, small.name)
  await requireDelivered(room, page, await finish(page), small)
  const blobs = await page.evaluate(async () => {
    const db = await new Promise<IDBDatabase>((resolve, reject) => {
      const opening = indexedDB.open('sealift')
      opening.addEventListener('success', () => resolve(opening.result))
      opening.addEventListener('error', () => reject(opening.error))
    })
    return new Promise<number>((resolve, reject) => {
      const counting = db.transaction('pieceBlobs').objectStore('pieceBlobs').count()
      counting.addEventListener('success', () => resolve(counting.result))
      counting.addEventListener('error', () => reject(counting.error))
    })
  })
  demand(blobs > 0, 'the pieces lie in IndexedDB instead')
}

async function limitQuota(page: Page, quotaSize: number): Promise<{ lift(): Promise<void> }> {
  const session = await page.createCDPSession()
  const origin = new URL(page.url()).origin
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize })
  return {
    async lift() {
      await session.send('Storage.overrideQuotaForOrigin', { origin })
    },
  }
}

/** Everything that this origin keeps is gone while its page downloads: it starts over, and ends well. */
export async function evicted(room: DrillRoom): Promise<Outcome> {
  const { page } = await openMidway(room)
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(String(error)))
  const session = await page.createCDPSession()
  const faultMs = Date.now()
  await session.send('Storage.clearDataForOrigin', { origin: new URL(room.stack.urls.portal).origin, storageTypes: 'all' })
  const clearedMs = Date.now()
  const finished = await finish(page).catch(async (error) => {
    console.log(
      JSON.stringify(await page.evaluate(() => window.drill?.events.slice(-6))),
      errors,
      await page.evaluate(async () => JSON.stringify(await navigator.locks.query())),
    )
    throw error
  })
  const { sources } = await requireDelivered(room, page, finished)
  demand(errors.length === 0, `no exception leaks: ${errors.join('; ')}`)
  demand(sentBytes(room.stack.cdn[0].requests) > room.agent.artifact.sizeBytes, 'what was cleared was really fetched again')
  // What is kept now can be relied on again.
  const sent = sentBytes(room.stack.cdn[0].requests)
  await startDownload(page, room.agent.name)
  await requireDelivered(room, page, await finish(page))
  demand(sentBytes(room.stack.cdn[0].requests) - sent <= room.agent.artifact.sizeBytes, 'at most everything was fetched once more')
  return { recoveryMs: within(firstRequestMs(room, clearedMs) - faultMs, EVICTION_MS, 'the next byte is asked for'), sources }
}

/** One bit of one piece, in the file itself, while no browser runs. */
export async function alteredPiece(room: DrillRoom): Promise<Outcome> {
  const { stack, agent } = room
  await slowSingleOrigin(room, 32 * MIB)
  const first = await room.launch()
  const page = await openPortal(first.browser, stack.urls.portal)
  await waitForController(page)
  await startDownload(page, agent.name)
  const { pieceBytes } = await requireDelivered(room, page, await finish(page))
  await first.kill()
  const piece = 40
  await flipBit(join(first.profileDir, 'Default', 'File System'), agent.artifact.sizeBytes, piece * pieceBytes + 12_345)
  stack.cdn[0].forgetRequests()
  const second = await room.launch({ profileDir: first.profileDir })
  const again = await openPortal(second.browser, stack.urls.portal)
  await waitForController(again)
  const status = await again.evaluate(
    async (url, to) => {
      const response = await fetch(url)
      await fetch(to, { method: 'POST', body: await response.blob() })
      return response.status
    },
    `/_sealift/sha256/${agent.artifact.sha256}/x`,
    `${room.receiver.url}altered`,
  )
  const served = await room.receiver.posted('altered', room.signal)
  demand(status !== 200 || served.sha256 === agent.artifact.sha256, 'the service worker serves no altered byte')
  await startDownload(again, agent.name)
  const finished = await finish(again)
  const { sources } = await requireDelivered(room, again, finished)
  const asked = stack.cdn[0].requests.flatMap(({ start, end }) => {
    const pieces: number[] = []
    for (let at = Math.floor(start / pieceBytes); at * pieceBytes < end; at++) pieces.push(at)
    return pieces
  })
  demand(asked.length === 1 && asked[0] === piece, `exactly the altered piece is fetched again, not ${asked.join(', ')}`)
  return { recoveryMs: null, sources }
}

/** Flips one bit of the only file of that size below `dir`. */
async function flipBit(dir: string, sizeBytes: number, at: number): Promise<void> {
  const names = (await readdir(dir, { recursive: true })).map((name) => join(dir, name))
  const found: string[] = []
  for (const name of names) if ((await stat(name)).size === sizeBytes) found.push(name)
  const [path] = found
  if (path === undefined || found.length !== 1)
    throw new Error(`expected one file of ${sizeBytes} bytes below ${dir}, found ${found.length}`)
  const file = await open(path, 'r+')
  try {
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, at)
    byte[0] = (byte[0] ?? 0) ^ 1
    await file.write(byte, 0, 1, at)
  } finally {
    await file.close()
  }
}
