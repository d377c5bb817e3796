import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { askServiceWorker, askWorker, openLab, serveLab } from './lab.ts'
import { hasFirefox, launchChromium, launchFirefox, type LaunchedBrowser } from './launch.ts'
import type { StaticSite } from './serve.ts'
import { SUITES, type CaseResult } from './store-suites.ts'

const IN_SERVICE_WORKER = ['blob store', 'store view', 'index']
const MIB = 1024 * 1024

let site: StaticSite

beforeAll(async () => {
  site = await serveLab()
})

afterAll(async () => {
  await site.close()
})

function reportSuites(suites: readonly string[], resultsOf: () => readonly CaseResult[]): void {
  describe.each(suites)('%s', (suite) => {
    test.each(SUITES[suite] ?? [])('%s', (name) => {
      const result = resultsOf().find((one) => one.suite === suite && one.name === name)
      expect(result, 'it ran').toBeDefined()
      expect(result?.error).toBeUndefined()
    })
  })
}

describe('Chromium', () => {
  let chromium: LaunchedBrowser
  let page: Page

  beforeAll(async () => {
    chromium = await launchChromium()
    page = await openLab(chromium, site)
  })

  afterAll(async () => {
    await chromium.close()
  })

  describe('in a dedicated worker', () => {
    let results: readonly CaseResult[]
    beforeAll(async () => {
      results = await askWorker(page, { kind: 'suites', suites: Object.keys(SUITES) })
    })
    reportSuites(Object.keys(SUITES), () => results)
  })

  describe('in a service worker', () => {
    let results: readonly CaseResult[]
    beforeAll(async () => {
      results = await askServiceWorker(page, { kind: 'suites', suites: IN_SERVICE_WORKER })
    })
    reportSuites(IN_SERVICE_WORKER, () => results)

    test('it reads files and writes to the index', async () => {
      expect(await askServiceWorker(page, { kind: 'capabilities' })).toEqual({ opfs: 'read', indexedDb: true })
    })

    test('it hands over what a page verified', async () => {
      const sha256 = await askWorker(page, { kind: 'keep' })
      expect(await page.evaluate((digest) => window.digestFromServiceWorker(digest), sha256)).toBe(sha256)
      expect(await page.evaluate((digest) => window.digestFromServiceWorker(digest), 'a'.repeat(64))).toBeUndefined()
    })
  })

  test.each(['bytes', 'last-byte', 'put-again'] as const)(
    'the whole that was put together never shows other bytes than those it had: it cannot be read any more (%s)',
    async (how) => {
      for (let round = 0; round < 5; round++) {
        const { sha256, before, after } = await askWorker(page, { kind: 'alter-whole', how })
        expect([before, after]).toEqual([sha256, 'unreadable'])
      }
    },
  )

  test('an artifact larger than the disk is refused before it is fetched', async () => {
    const session = await page.createCDPSession()
    const origin = new URL(site.url).origin
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 50 * MIB })
    try {
      const failure = await askWorker(page, { kind: 'reserve', sizeBytes: 200 * MIB })
      expect(failure).toEqual({ code: 'quota-exceeded', neededBytes: 200 * MIB })
    } finally {
      await session.send('Storage.overrideQuotaForOrigin', { origin })
    }
    expect(await askWorker(page, { kind: 'reserve', sizeBytes: 200 * MIB })).toBeUndefined()
  })

  test.each([
    ['/worker.js', true],
    ['/strict-worker.js', false],
  ])('hashes a whole artifact in %s (WebAssembly allowed: %s)', async (script, canCompile) => {
    const answer = await askWorker(page, { kind: 'hash', seed: 3, sizeBytes: 3_123_456 }, script)
    expect(answer).toEqual({ digest: sha256Of(seededBytes(3, 3_123_456)), canCompile })
  })
})

describe('a browser killed in the middle of writing', () => {
  test.each(['view', 'blobs'] as const)('keeps what it acknowledged, and nothing it kept is wrong (%s)', async (into) => {
    const profileDir = await mkdtemp(join(tmpdir(), 'sealift-killed-'))
    try {
      const acknowledged = await killWhileFilling(profileDir, into)
      const browser = await launchChromium({ profileDir })
      try {
        const { stored, wrong } = await askWorker(await openLab(browser, site), { kind: 'check-fill', into })
        expect(wrong).toEqual([])
        expect(acknowledged.filter((piece) => !stored.includes(piece))).toEqual([])
      } finally {
        await browser.close()
      }
    } finally {
      await rm(profileDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    }
  })
})

/** Pieces that were acknowledged by the time the browser was killed. */
async function killWhileFilling(profileDir: string, into: 'view' | 'blobs'): Promise<readonly number[]> {
  const browser = await launchChromium({ profileDir })
  const page = await openLab(browser, site)
  // It never answers: the browser dies before.
  const filling = askWorker(page, { kind: 'fill', into }).catch(() => undefined)
  await page.waitForFunction(() => window.kept.length >= 20)
  const acknowledged = await page.evaluate(() => window.kept)
  await browser.kill()
  await filling
  return acknowledged
}

describe.runIf(hasFirefox()).each([
  { name: 'Firefox', isPrivate: false },
  { name: 'a private window of Firefox', isPrivate: true },
])('$name', ({ isPrivate }) => {
  const suites = isPrivate ? IN_SERVICE_WORKER : Object.keys(SUITES)
  let firefox: LaunchedBrowser
  let page: Page
  let results: readonly CaseResult[]

  beforeAll(async () => {
    firefox = await launchFirefox({ preferences: { 'browser.privatebrowsing.autostart': isPrivate } })
    page = await openLab(firefox, site)
    results = await askWorker(page, { kind: 'suites', suites })
  })

  afterAll(async () => {
    await firefox.close()
  })

  reportSuites(suites, () => results)

  test('stores where it can', async () => {
    expect(await askWorker(page, { kind: 'capabilities' })).toEqual({ opfs: isPrivate ? 'none' : 'write', indexedDb: true })
  })
})
