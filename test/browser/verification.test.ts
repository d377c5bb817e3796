import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleForBrowser } from '../../scripts/bundle-for-browser.mjs'
import type { Sha256 } from '../../src/core/model/ids.ts'
import type { SignatureVerifier } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import type { SignaturePolicy } from '../../src/core/verify/identity-policy.ts'
import { openAuthority, type Authority } from '../../src/node/authority/authority.ts'
import { authoritySigner, type PublishSigner } from '../../src/node/publish/publish-signer.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { FILES, javascript, publishFiles, startSite, type Publication, type Site } from './site.ts'
import { waitForSdk } from './visitor.ts'

declare global {
  interface Window {
    longTasks?: PerformanceEntry[]
    readonly verifier?: { readonly createSigstoreVerifier: () => SignatureVerifier }
  }
}

const CLAIMS = {
  identity: 'https://github.com/acme/agent/.github/workflows/release.yml@refs/tags/v1.2.3',
  issuer: 'https://token.actions.githubusercontent.com',
}
/** A busy machine may stop any page for a moment. */
const VISITS = 3
const MARK_MS = 200
const never = new AbortController().signal

let dir: string
let authority: Authority
let signer: PublishSigner
let publication: Publication
let chromium: LaunchedBrowser
let site: Site

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sealift-verification-'))
  authority = await openAuthority(dir, { clock: systemClock })
  const run = { commit: 'a'.repeat(40), invocationId: 'https://github.com/acme/agent/actions/runs/1/attempts/1' }
  signer = authoritySigner(authority, { claims: CLAIMS, clock: systemClock, run })
  ;[publication, chromium] = await Promise.all([publishFiles({ signer }), launchChromium()])
  site = await startSite(publication)
  const entry = fileURLToPath(new URL('../../src/trust/sigstore-verifier.ts', import.meta.url))
  site.files.set('/verifier.js', javascript(await bundleForBrowser({ entry, name: 'verifier' })))
})

afterAll(async () => {
  await site.close()
  await chromium.close()
  await publication.remove()
  await rm(dir, { recursive: true, force: true })
})

/** Work in a page of a browser context in which nothing was kept or compiled yet. @returns its tasks of 50 ms and more, in ms */
async function longTasksIn(work: (page: Page) => Promise<void>): Promise<readonly number[]> {
  const context = await chromium.browser.createBrowserContext()
  try {
    const page = await context.newPage()
    await page.goto(site.url)
    await waitForSdk(page)
    await page.evaluate(() => {
      const seen: PerformanceEntry[] = (window.longTasks = [])
      new PerformanceObserver((list) => seen.push(...list.getEntries())).observe({ type: 'longtask' })
    })
    await work(page)
    const endedMs = await page.evaluate(stopForAMoment, MARK_MS)
    // Tasks are told late, and in order: after this one there is none to wait for.
    await page.waitForFunction((since) => window.longTasks?.some((task) => task.startTime >= since), { polling: 50 }, endedMs)
    return await page.evaluate(
      (since) => (window.longTasks ?? []).filter((task) => task.startTime < since).map((task) => task.duration),
      endedMs,
    )
  } finally {
    await context.close()
  }
}

/** A long task of our own, in the page. @returns when it was asked for */
async function stopForAMoment(forMs: number): Promise<number> {
  const askedMs = performance.now()
  return await new Promise((resolve) => {
    setTimeout(() => {
      while (performance.now() - askedMs < forMs);
      resolve(askedMs)
    }, 1)
  })
}

/** Three artifacts for the first time: the catalogue's bundle, and two of each. */
async function downloadAll(page: Page): Promise<void> {
  const verdicts = await page.evaluate(async (names) => {
    const all = await Promise.all(names.map(async (name) => await window.sealift?.download(name).result))
    return all.map((one) => one?.record.verdicts.length)
  }, Object.keys(FILES))
  expect(verdicts).toEqual([2, 2, 2])
}

test('the seven bundles of a first visit are verified while no task of the page takes as long as one of them', async () => {
  const artifacts = Array.from({ length: 7 }, (_, at) => Buffer.from(`artifact ${at}`))
  const signed: { readonly file: string; readonly subject: Sha256 }[] = []
  for (const bytes of artifacts)
    signed.push({ file: Buffer.from(await authority.signBlob(bytes, CLAIMS, never)).toString(), subject: sha256Of(bytes) })
  const inPage = await longTasksIn(async (page) => {
    await page.addScriptTag({ url: '/verifier.js' })
    await page.evaluate(
      async (bundles, policy) => {
        // What a debugger asks for is no task of the page.
        await new Promise((resolve) => setTimeout(resolve, 1))
        const verifier = window.verifier?.createSigstoreVerifier()
        for (const { file, subject } of bundles) await verifier?.verify(new TextEncoder().encode(file), subject, policy)
      },
      signed,
      signer.policy as SignaturePolicy & Record<string, never>,
    )
  })
  expect(sumOf(inPage)).toBeGreaterThan(artifacts.length * 20)
  const oneBundleMs = sumOf(inPage) / artifacts.length
  const visits: number[] = []
  while (visits.length < VISITS && !visits.some((longestMs) => longestMs < oneBundleMs))
    visits.push(Math.max(0, ...(await longTasksIn(downloadAll))))
  expect(Math.min(...visits)).toBeLessThan(oneBundleMs)
})

function sumOf(times: readonly number[]): number {
  return times.reduce((sum, time) => sum + time, 0)
}
