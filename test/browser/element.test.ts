import type { Page } from 'puppeteer-core'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { runCli } from '../cli/run-cli.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { openRoom } from './room.ts'
import { FILES, hashFile } from './site.ts'
import { newPage, watchDownloads } from './visitor.ts'

const DEAD = 'http://127.0.0.1:1/'
const room = openRoom()

declare global {
  interface Window {
    violations?: string[]
  }
}

/** A page that has nothing of Sealift but the tag, under a policy that lets nothing else in; its CDN is dead, and a gateway is there. */
beforeEach(async () => {
  const { files, cdn } = room.site
  const config: object = JSON.parse(files.get('/sealift.json')?.body ?? '')
  const gateways = [{ id: 'gateway', url: cdn.url }]
  const origins = [{ id: 'cdn', url: DEAD }]
  files.set('/sealift.json', { type: 'application/json', body: JSON.stringify({ ...config, origins, gateways }) })
  const { out } = await runCli(['init', await temporaryFolder(), '--json'])
  const { elementTag }: { readonly elementTag: string } = JSON.parse(out)
  const policy = `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' ${cdn.url} ${DEAD}`
  files.set('/index.html', {
    type: 'text/html',
    body: `<!doctype html><html lang="en"><title>portal</title>${elementTag}<h1>Agent</h1>
      <sealift-download name="agent"><a href="${DEAD}agent.tar.gz">agent.tar.gz</a></sealift-download>`,
    headers: { 'content-security-policy': policy },
  })
})

async function open(): Promise<Page> {
  const page = await newPage(room.chromium.browser)
  await page.evaluateOnNewDocument(() => {
    const violations: string[] = []
    window.violations = violations
    document.addEventListener('securitypolicyviolation', (event) => void violations.push(event.violatedDirective))
  })
  await page.goto(room.site.url)
  return page
}

const stateOf = (page: Page): Promise<string | null | undefined> =>
  page.evaluate(() => document.querySelector('sealift-download')?.getAttribute('state'))

/** Role and name of everything that a screen reader finds. */
async function heard(page: Page): Promise<readonly string[]> {
  const root = await page.accessibility.snapshot({ interestingOnly: false })
  const walk = (node: NonNullable<typeof root>): readonly string[] => [
    `${node.role} ${node.name ?? ''}`,
    ...(node.children ?? []).flatMap(walk),
  ]
  return root === null ? [] : walk(root)
}

describe('a page that has nothing but the tag', () => {
  test('downloads and verifies by keyboard while its CDN is dead, and is heard by a screen reader', async () => {
    const dir = await temporaryFolder()
    const saved = await watchDownloads(room.chromium.browser, dir)
    await room.site.cdn.set({ rateBytesPerSecond: 2 * 1024 * 1024 })
    const page = await open()
    await expect.poll(() => stateOf(page)).toBe('idle')
    expect(await heard(page)).toContain('button Download agent')
    expect(await heard(page)).not.toContain('link agent.tar.gz')
    // A live region that comes with its first text is not read out.
    expect(await heard(page)).toContain('status ')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await expect.poll(() => heard(page), { timeout: 20_000 }).toContain(`StaticText Fetching ${FILES.agent.filename}: 25 % verified.`)
    const working = await heard(page)
    expect(working).toContain('button Cancel')
    expect(working).toContain('progressbar agent')
    expect(working).toContain('status ')
    expect(await saved.next()).toEqual({ state: 'completed', suggestedName: FILES.agent.filename })
    expect(await hashFile(join(dir, FILES.agent.filename))).toBe(room.publication.digests.agent)
    expect(await heard(page)).toContain(`button Save ${FILES.agent.filename} again`)
    expect(await page.evaluate(() => window.violations)).toEqual([])
    await saved.stop()
  })

  test('shows the plain link when the script is not the one that the tag names', async () => {
    room.site.files.set('/element.js', { type: 'text/javascript', body: `${room.site.files.get('/element.js')?.body};` })
    const page = await open()
    expect(await heard(page)).toContain('link agent.tar.gz')
    expect(await page.evaluate(() => customElements.get('sealift-download') === undefined)).toBe(true)
  })

  test.each(['/page.js', '/engine.js'])('shows the plain link when %s is not there', async (script) => {
    room.site.files.delete(script)
    const page = await open()
    await expect.poll(() => stateOf(page)).toBe('link')
    expect(await heard(page)).toContain('link agent.tar.gz')
  })

  test('downloads where the service worker is not served', async () => {
    room.site.files.delete('/sw.js')
    const page = await open()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await expect.poll(() => stateOf(page), { timeout: 20_000 }).toBe('done')
  })
})
