import { resolve } from 'node:path'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startStack, type Stack } from '../../demo/stack/stack.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'

const PROJECT = resolve(import.meta.dirname, '..', '..')
const AGENT = '#artifact-edge-agent'
const MIB = 2 ** 20

let stack: Stack
let launched: LaunchedBrowser
let page: Page
const hosts = new Set<string>()

beforeAll(async () => {
  stack = await startStack({ project: PROJECT, cdnBytesPerSecond: 10 * MIB }, new AbortController().signal)
  launched = await launchChromium()
  page = await launched.browser.newPage()
  page.on('request', (request) => hosts.add(new URL(request.url()).hostname))
  await page.goto(stack.urls.portal)
  await page.waitForSelector(AGENT)
})

afterAll(async () => {
  await launched.close()
  await stack.close()
})

test('tells what happened to a download whose CDN was taken down, and who went on', async () => {
  await press(AGENT, 'Download')
  await waitForSquares('cdn-1', 4)
  await press('#switch-cdn-1', 'Take down')
  const news = await waitForText(`${AGENT} .news`, 'goes on')
  expect(news).toMatch(/^CDN 1 (broke off|does not answer|fell silent)\. Nothing is lost: \d+ pieces kept\. (CDN 2|LAN gateway) goes on, /)
  expect(await textOf('#log')).toMatch(/CDN 1 .*; \d+ of \d+ pieces kept/)
  expect(stack.state()['cdn-1']).toBe('down')
})

test('keeps what arrived when it is paused or cancelled, and goes on from there', async () => {
  await press(AGENT, 'Pause')
  await waitForText(`${AGENT} .headline`, 'Paused')
  await press(AGENT, 'Resume')
  await waitForSquares('cdn-1', 4)
  await press(AGENT, 'Cancel')
  await waitForText(`${AGENT} .headline`, 'Cancelled')
  await press(AGENT, 'Download')
  await waitForSquares('kept', 4)
})

test('says in words who signed it and where it was built, once it is verified', async () => {
  const verdict = await waitForText(`${AGENT} .verdict`, 'Verified')
  expect(verdict).toContain('https://github.com/sealift-demo/edge/.github/workflows/release.yml@refs/tags/v1.4.0')
  expect(verdict).toContain('Build provenance (SLSA): built from https://github.com/sealift-demo/edge')
  expect(verdict).toContain(stack.published.catalogue.artifacts.find(({ name }) => name === 'edge-agent')?.artifact.sha256)
})

test('forgets the stored copy when it is told to', async () => {
  await press(AGENT, 'Clear stored copy')
  await waitForText(`${AGENT} .headline`, 'Not started')
  await press(AGENT, 'Download')
  await waitForSquares('cdn-2', 1)
  expect(await page.$$eval(`${AGENT} .map [data-source=kept]`, (squares) => squares.length)).toBe(0)
  await press(AGENT, 'Cancel')
})

test('contacts nothing but this machine', () => {
  expect([...hosts]).toEqual(['127.0.0.1'])
})

/** Presses a button by its words, as soon as it is there. */
async function press(within: string, words: string): Promise<void> {
  await page.waitForFunction(
    (root, wanted) => {
      const found = [...document.querySelectorAll<HTMLButtonElement>(`${root} button`)].find(
        (one) => one.textContent === wanted && !one.hidden && !one.disabled,
      )
      found?.click()
      return found !== undefined
    },
    { polling: 20 },
    within,
    words,
  )
}

async function waitForText(selector: string, words: string): Promise<string> {
  await page.waitForFunction((at, wanted) => document.querySelector(at)?.textContent.includes(wanted), { polling: 20 }, selector, words)
  return textOf(selector)
}

async function textOf(selector: string): Promise<string> {
  return page.$eval(selector, (element) => element.textContent)
}

async function waitForSquares(source: string, count: number): Promise<void> {
  await page.waitForFunction(
    (root, wanted, least) => document.querySelectorAll(`${root} .map [data-source=${wanted}]`).length >= least,
    { polling: 20 },
    AGENT,
    source,
    count,
  )
}
