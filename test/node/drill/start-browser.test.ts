import { expect, test } from 'vitest'
import { runCli } from '../../cli/run-cli.ts'
import { startBrowser } from '../../../src/node/drill/start-browser.ts'

const nothing = { path: undefined, args: [], env: { PATH: '/nowhere' } }

test('without the package that drives browsers, or a browser that starts, it says what to install', async () => {
  const absent = (): Promise<unknown> => Promise.reject(new Error('Cannot find package'))
  await expect(startBrowser(nothing, absent)).rejects.toMatchObject({
    failure: { code: 'tool-missing', tool: 'puppeteer-core', detail: 'a drill drives a browser with it: npm install puppeteer-core' },
  })
  await expect(startBrowser(nothing)).rejects.toMatchObject({ failure: { code: 'tool-missing', tool: 'Chromium' } })
  await expect(startBrowser({ ...nothing, path: '/bin/false' })).rejects.toMatchObject({
    failure: { code: 'tool-missing', detail: expect.stringContaining('/bin/false does not start') as string },
  })
})

test('a page that is no URL, and one whose configuration is not there, end before any browser starts', async () => {
  expect(await runCli(['drill', 'downloads.example'])).toMatchObject({
    exitCode: 2,
    err: expect.stringContaining('must be a URL') as string,
  })
  expect(await runCli(['drill', 'http://127.0.0.1:1/'])).toMatchObject({ exitCode: 5 })
})
