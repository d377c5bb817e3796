import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeSigner, serveRepository, TufRepository, type ServedRepository } from '../tuf/tuf-repository.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { serveFiles, type StaticSite } from './serve.ts'

type Call = 'refreshTrustedRoot' | 'keptTrustedRoot'

declare global {
  interface Window {
    /** What came of evaluating text in a script of the page. */
    readonly evaluated: unknown
    run(call: Call, options: object): Promise<unknown>
  }
}

/** The page's own script: what a test evaluates from outside, a browser excuses from the content policy. */
const PAGE = `
  import * as library from './trust-refresh.js'
  const evaluate = () => { try { return new Function('return 1')() } catch (error) { return error.name } }
  const run = async (call, options) => library[call]({ ...options, store: await library.openTrustStore() })
  Object.assign(window, {
    evaluated: evaluate(),
    run: (call, options) => new Promise((resolve) => setTimeout(() => resolve(run(call, options).catch((error) => ({ refused: error.failure }))))),
  })`

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url))

const repository = new TufRepository({
  root: { signers: [makeSigner('p256'), makeSigner('ed25519'), makeSigner('p384')], threshold: 2 },
  timestamp: { signers: [makeSigner('ed25519')] },
  targets: { signers: [makeSigner('p256'), makeSigner('p256')], threshold: 2 },
})
repository.rotate()
repository.release()
const pinned = repository.pinned()

let chromium: LaunchedBrowser
let server: ServedRepository
let site: StaticSite
let page: Page

beforeAll(async () => {
  server = await serveRepository(repository)
  const library = await readFile(join(DIST, 'trust-refresh.js'), 'utf8')
  const policy = `default-src 'none'; script-src 'self'; connect-src ${server.url}`
  site = await serveFiles(
    {
      '/index.html': '<!doctype html><title>trust</title><script type="module" src="/page.js"></script>',
      '/page.js': PAGE,
      '/trust-refresh.js': library,
    },
    { '/index.html': { 'content-security-policy': policy } },
  )
  chromium = await launchChromium()
  page = await chromium.browser.newPage()
  await page.goto(site.url)
})

afterAll(async () => {
  await chromium.close()
  await site.close()
  await server.close()
})

const inPage = async (call: Call): Promise<unknown> =>
  await page.evaluate(async (name, options) => await window.run(name, options), call, { repositoryUrl: server.url, initialRoot: pinned })

describe('a page under a strict content policy', () => {
  test('forbids evaluation, so that what follows shows something', async () => {
    expect(await page.evaluate(() => window.evaluated)).toBe('EvalError')
  })

  test('refreshes its trusted root, and has it after a reload with the repository out of reach', async () => {
    expect(await inPage('keptTrustedRoot')).toBeUndefined()
    expect(await inPage('refreshTrustedRoot')).toMatchObject({ source: 'repository', version: 1, trustedRoot: { generation: 1 } })
    repository.rotate({ root: { signers: [makeSigner('p256')] } })
    repository.release({ version: 2 })
    expect(await inPage('refreshTrustedRoot')).toMatchObject({ source: 'repository', version: 2, rootVersion: 2 })
    repository.release({ version: 1 })
    const rollback = { code: 'trust-refresh-failed', role: 'timestamp', reason: 'rollback' }
    expect(await inPage('refreshTrustedRoot')).toMatchObject({ source: 'kept', version: 2, failure: rollback })
    await server.close()
    await page.reload()
    expect(await inPage('keptTrustedRoot')).toMatchObject({ source: 'kept', version: 2, trustedRoot: { generation: 2 } })
    const unreachable = { code: 'trust-refresh-failed', role: 'root', reason: 'unreachable' }
    expect(await inPage('refreshTrustedRoot')).toMatchObject({ source: 'kept', version: 2, failure: unreachable })
  })
})
