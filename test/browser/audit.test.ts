import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseAuditRecord } from '../../src/core/audit/parse-audit-record.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { runCli } from '../cli/run-cli.ts'
import { openRoom } from './room.ts'
import { download, endOf, openPortal, startDownload, waitForSdk, watchDownloads } from './visitor.ts'

const room = openRoom()
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sealift-export-'))
})

afterEach(async () => {
  await rm(dir, { recursive: true })
})

/** Has the page hand out the audit as a portal would, and the browser save it. */
async function saveExport(page: Page): Promise<string> {
  const saved = await watchDownloads(room.chromium.browser, dir)
  await page.evaluate(async () => {
    const file = await window.sealift?.auditFile()
    if (file === undefined) throw new Error('the page has no SDK')
    const link = document.createElement('a')
    link.href = URL.createObjectURL(file)
    link.download = file.name
    link.click()
  })
  expect(await saved.next()).toEqual({ state: 'completed', suggestedName: 'sealift-audit.jsonl' })
  await saved.stop()
  return join(dir, 'sealift-audit.jsonl')
}

test('what a page exports after a delivery and a refusal is what audit verify accepts, to the byte', async () => {
  const page = await openPortal(room.chromium.browser, room.site.url)
  expect(await download(page, 'notes')).toMatchObject({ kind: 'delivered' })
  const config = room.site.files.get('/sealift.json')?.body ?? ''
  const trust = { catalogueSigners: [{ publicKey: room.publication.signer }], artifactSigners: [{ publicKey: room.publication.stranger }] }
  room.site.files.set('/sealift.json', { type: 'application/json', body: JSON.stringify({ ...JSON.parse(config), trust }) })
  await page.reload()
  await waitForSdk(page)
  expect(await download(page, 'notes')).toMatchObject({ kind: 'refused' })
  const path = await saveExport(page)
  const lines = (await readFile(path, 'utf8')).split('\n')
  expect(lines.pop()).toBe('')
  expect(lines.map((line) => parseAuditRecord(Buffer.from(line)).outcome.kind)).toEqual(['delivered', 'refused'])
  const head = sha256Of(Buffer.from(lines[1] ?? ''))
  const { exitCode, json } = await runCli(['audit', 'verify', path, '--head', head, '--json'])
  expect(exitCode).toBe(0)
  expect(json()).toMatchObject({ records: 2, head, isAnchored: true, faultCount: 0, remarkCount: 0 })
})

/**
 * Has a page keep everybody from the audit log until it is told to stop, and a while longer: whoever wants to read it waits, and then all read at
 * once.
 */
async function holdLog(page: Page): Promise<() => Promise<void>> {
  await page.evaluate(async () => {
    const db = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open('sealift')
      opening.addEventListener('success', () => resolve(opening.result))
    })
    const log = db.transaction('audit', 'readwrite').objectStore('audit')
    let left = 200
    const goOn = (): void => {
      if (document.title === 'let go') left--
      if (left > 0) log.count().addEventListener('success', goOn)
      else db.close()
    }
    goOn()
  })
  return () => page.evaluate(() => void (document.title = 'let go'))
}

test('tabs that write records at the same time write one chain', async () => {
  const tabs = [await openPortal(room.chromium.browser, room.site.url), await openPortal(room.chromium.browser, room.site.url)]
  const holder = await openPortal(room.chromium.browser, room.site.url)
  const letGo = await holdLog(holder)
  await Promise.all(tabs.map((page, at) => startDownload(page, at === 0 ? 'notes' : 'agent')))
  for (const page of tabs)
    await page.waitForFunction(() => window.trial?.events.some((event) => event.kind === 'phase' && event.phase === 'checking'), {
      polling: 50,
    })
  await letGo()
  for (const page of tabs) expect(await endOf(page)).toMatchObject({ kind: 'delivered' })
  const { exitCode, json } = await runCli(['audit', 'verify', await saveExport(holder), '--json'])
  expect(json()).toMatchObject({ records: 2, outcomes: { delivered: 2 }, faultCount: 0, remarkCount: 0 })
  expect(exitCode).toBe(0)
})
