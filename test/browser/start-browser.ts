import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer, { type Browser, type LaunchOptions } from 'puppeteer-core'

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
  /** Driven over a pipe: for a browser whose network is not that of the tests. Chromium only. Default: over a socket. */
  readonly usesPipe?: boolean
  /** Firefox only: preferences by name. */
  readonly preferences?: Readonly<Record<string, unknown>>
}

/** A Chromium on this machine, and what it needs to start. */
export interface FoundChromium {
  readonly path: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
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

/** Starts a headless Chromium with a profile of its own. */
export async function startChromium(found: FoundChromium, choices: LaunchChoices = {}): Promise<LaunchedBrowser> {
  return await launch(choices, {
    executablePath: found.path,
    args: [...CHROMIUM_ARGS, ...found.args, ...(choices.args ?? [])],
    env: { ...process.env, ...found.env },
    pipe: choices.usesPipe === true,
  })
}

/** Starts a headless Firefox with a profile of its own, driven over WebDriver BiDi. */
export async function startFirefox(executablePath: string, choices: LaunchChoices = {}): Promise<LaunchedBrowser> {
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
