import { resolve } from 'node:path'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startStack, type Stack } from '../../demo/stack/stack.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'

const PROJECT = resolve(import.meta.dirname, '..', '..')
/** More than the page has of what can be focused. */
const TABS = 80

let stack: Stack
let browsers: readonly LaunchedBrowser[] = []

beforeAll(async () => {
  stack = await startStack({ project: PROJECT }, new AbortController().signal)
  browsers = await Promise.all([launchChromium(), launchChromium()])
})

afterAll(async () => {
  await Promise.all(browsers.map((one) => one.close()))
  await stack?.close()
})

test('two people pair their browsers with the keyboard alone, while no server introduces anybody', async () => {
  const [first, second] = [await open(0), await open(1)]
  await stack.set('signaling', 'down')
  await tabTo(first, 'pairing-make')
  await first.keyboard.press('Enter')
  const firstCode = await shownIn(first)
  await first.waitForSelector('.pairing-picture svg[role=img]')

  await enter(second, 'nonsense')
  await waitForStatus(second, 'This code is not complete.')
  await enter(second, firstCode)
  const secondCode = await shownIn(second)
  await enter(first, secondCode)
  for (const page of [first, second]) await waitForStatus(page, 'Connected.')
  expect(await first.$$eval('#mesh tbody tr', (rows) => rows.length)).toBe(1)
  expect(await first.$eval('#pairing-status', (element) => element.getAttribute('role'))).toBe('status')
})

/** A page of the portal with sharing allowed and the panel open, by keyboard. */
async function open(profile: number): Promise<Page> {
  const browser = browsers[profile]?.browser
  if (browser === undefined) throw new Error('no browser')
  const page = await browser.newPage()
  await page.goto(stack.urls.portal)
  await page.waitForSelector('.pairing')
  await tabTo(page, 'consent')
  await page.keyboard.press('Space')
  await tabTo(page, 'pairing-summary')
  await page.keyboard.press('Enter')
  return page
}

async function tabTo(page: Page, id: string): Promise<void> {
  for (let press = 0; press < TABS; press++) {
    if ((await page.evaluate(() => document.activeElement?.id)) === id) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`#${id} cannot be reached with the keyboard`)
}

async function enter(page: Page, code: string): Promise<void> {
  await tabTo(page, 'pairing-entry')
  await page.keyboard.down('Control')
  await page.keyboard.press('a')
  await page.keyboard.up('Control')
  await page.keyboard.sendCharacter(code)
  await tabTo(page, 'pairing-enter')
  await page.keyboard.press('Enter')
}

async function shownIn(page: Page): Promise<string> {
  await page.waitForSelector('#pairing-shown')
  return await page.$eval('#pairing-shown', (element) => (element instanceof HTMLTextAreaElement ? element.value : ''))
}

async function waitForStatus(page: Page, words: string): Promise<void> {
  await page.waitForFunction((wanted) => document.querySelector('#pairing-status')?.textContent.includes(wanted), { polling: 20 }, words)
}
