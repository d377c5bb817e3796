import { readFile, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { startSwitchableServer, type SwitchableServer } from '../../demo/stack/switchable-server.ts'
import { runCli } from '../cli/run-cli.ts'
import { makeFolder } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { closePages, openPortal, waitForSdk } from './visitor.ts'

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.json': 'application/json' }
/** Characters that are escaped in a path, and some that are not. */
const ODD = 'assets/grün #1 100% @2x.txt'
const FILES = {
  'index.html': '<!doctype html><title>portal</title><script type="module" src="/assets/app.js"></script>',
  'assets/app.js': "import { register } from '/page.js'\ndocument.title = 'first'\nwindow.sealift = await register()",
  [ODD]: 'odd',
  'other.txt': 'not kept',
}
const SHELL = ['--shell', 'index.html', '--shell', 'assets/**']

let chromium: LaunchedBrowser
let publicDir: string
let portal: SwitchableServer

beforeAll(async () => {
  chromium = await launchChromium()
})

afterAll(async () => {
  await chromium.close()
})

// A portal that is nothing but a folder, set up by the command line, behind a static server.
beforeEach(async () => {
  publicDir = await makeFolder(FILES)
  const keys = await temporaryFolder()
  await runCli(['keygen', keys])
  const trust = ['--public-key', join(keys, 'signing-key.pub')]
  const made = await runCli(['init', publicDir, '--repository', 'acme', '--origin', 'http://127.0.0.1:1/', ...trust, ...SHELL])
  expect(made).toMatchObject({ exitCode: 0, err: '' })
  portal = await startSwitchableServer((request, response) => {
    const { pathname } = new URL(request.url === '/' ? '/index.html' : (request.url ?? ''), 'http://portal.invalid')
    readFile(join(publicDir, decodeURIComponent(pathname))).then(
      (body) =>
        response.writeHead(200, { 'content-type': TYPES[extname(pathname)] ?? 'text/plain', 'cache-control': 'no-cache' }).end(body),
      () => response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n'),
    )
  }, 0)
})

afterEach(async () => {
  await closePages(chromium.browser)
  await portal.stop()
})

const textOf = (path: string): Promise<string | undefined> =>
  fetch(path).then(
    (response) => response.text(),
    () => undefined,
  )

test('a portal that init set up opens while its origin is down, with every file that the patterns name and no other', async () => {
  const page = await openPortal(chromium.browser, portal.url)
  await portal.stop()
  await page.reload()
  await waitForSdk(page)
  expect(await page.title()).toBe('first')
  expect(await page.evaluate(textOf, '/assets/grün %231 100%25 @2x.txt')).toBe('odd')
  expect(await page.evaluate(textOf, '/other.txt')).toBeUndefined()
})

test('after a deployment and another init, the next visits bring what is new, and it outlives the origin too', async () => {
  const page = await openPortal(chromium.browser, portal.url)
  await writeFile(join(publicDir, 'assets/app.js'), FILES['assets/app.js'].replace('first', 'second'))
  expect(await runCli(['init', publicDir, ...SHELL, '--json'])).toMatchObject({ exitCode: 0 })
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration('/')
    await registration?.update()
  })
  await page.waitForFunction(
    async () => {
      const registration = await navigator.serviceWorker.getRegistration('/')
      return registration?.installing === null && registration.waiting === null && registration.active?.state === 'activated'
    },
    { polling: 50 },
  )
  await portal.stop()
  await page.reload()
  await waitForSdk(page)
  expect(await page.title()).toBe('second')
})
