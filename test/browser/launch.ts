import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer, { type Browser, type LaunchOptions } from 'puppeteer-core'
import { findBrowser, findFirefox } from '../../scripts/browser.mjs'

export interface LaunchedBrowser {
  readonly browser: Browser
  readonly profileDir: string
  /** Ends the browser. Removes its profile too, unless the caller named one. */
  close(): Promise<void>
  /** Ends it as the system would when memory runs out: no process gets a chance to finish anything. The profile stays. */
  kill(): Promise<void>
}

export interface LaunchChoices {
  /** Given: used, and kept at the end, so that a second visit can be made. Default: a fresh one. */
  readonly profileDir?: string
  /** More command-line arguments. */
  readonly args?: readonly string[]
  /** Firefox only: preferences by name. */
  readonly preferences?: Readonly<Record<string, unknown>>
}

const CHROMIUM_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const CLOSE_DEADLINE_MS = 10_000
const START_DEADLINE_MS = 45_000

/** Starts a headless Chromium with a profile of its own. @throws {Error} when none is installed */
export async function launchChromium(choices: LaunchChoices = {}): Promise<LaunchedBrowser> {
  const found = findBrowser()
  if (found === undefined) throw new Error('no Chromium on this machine; `npm run browser` gets one')
  return await launch(choices, {
    executablePath: found.path,
    args: [...CHROMIUM_ARGS, ...found.args, ...(choices.args ?? [])],
    env: { ...process.env, ...found.env },
  })
}

/** True where `launchFirefox` can work. Firefox is never fetched: its tests report themselves as not run. */
export function hasFirefox(): boolean {
  return findFirefox() !== undefined
}

/** Starts a headless Firefox with a profile of its own, driven over WebDriver BiDi. @throws {Error} when none is installed */
export async function launchFirefox(choices: LaunchChoices = {}): Promise<LaunchedBrowser> {
  const executablePath = findFirefox()
  if (executablePath === undefined) throw new Error('no Firefox on this machine')
  return await launch(choices, {
    browser: 'firefox',
    executablePath,
    args: [...(choices.args ?? [])],
    extraPrefsFirefox: { ...choices.preferences },
  })
}

async function launch(choices: LaunchChoices, options: LaunchOptions): Promise<LaunchedBrowser> {
  const profileDir = choices.profileDir ?? (await mkdtemp(join(tmpdir(), 'sealift-profile-')))
  const browser = await puppeteer.launch({ headless: true, userDataDir: profileDir, timeout: START_DEADLINE_MS, ...options })
  const removeProfile = async (): Promise<void> => {
    // Some of its processes may still be writing for a moment.
    if (choices.profileDir === undefined) await rm(profileDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
  }
  return {
    browser,
    profileDir,
    close: async () => {
      await closeOrKill(browser)
      await removeProfile()
    },
    kill: async () => {
      await killBrowser(browser)
    },
  }
}

async function closeOrKill(browser: Browser): Promise<void> {
  const timer = setTimeout(() => browser.process()?.kill('SIGKILL'), CLOSE_DEADLINE_MS)
  try {
    await browser.close()
  } catch {
    // It crashed, or the connection to it did: then it only has to be gone.
    await killBrowser(browser)
  } finally {
    clearTimeout(timer)
  }
}

async function killBrowser(browser: Browser): Promise<void> {
  const child = browser.process()
  if (child === null || child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGKILL')
  await gone
}
