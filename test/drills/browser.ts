import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import puppeteer, { type Browser } from 'puppeteer-core'

/** A browser on this machine, and what it needs to start. */
export interface FoundBrowser {
  readonly path: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export interface DrillBrowser {
  readonly browser: Browser
  readonly profileDir: string
  /** Ends it as the system would when memory runs out. Its profile stays until `close`. */
  kill(): Promise<void>
  close(): Promise<void>
}

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const START_MS = 45_000
const CLOSE_MS = 10_000

/** @param profileDir of an earlier browser. Default: a fresh one, removed at the end */
export async function launchBrowser(found: FoundBrowser, profileDir?: string): Promise<DrillBrowser> {
  const folder = profileDir ?? (await mkdtemp(join(tmpdir(), 'sealift-drill-')))
  const browser = await puppeteer.launch({
    headless: true,
    userDataDir: folder,
    timeout: START_MS,
    executablePath: found.path,
    args: [...ARGS, ...found.args],
    env: { ...process.env, ...found.env },
    handleSIGINT: false,
    handleSIGTERM: false,
  })
  const kill = async (): Promise<void> => {
    const child = browser.process()
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill('SIGKILL')
    await gone
  }
  return {
    browser,
    profileDir: folder,
    kill,
    async close() {
      const hammer = setTimeout(() => void kill(), CLOSE_MS)
      await browser.close().catch(kill) // killed before, or crashed: it only has to be gone
      clearTimeout(hammer)
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    },
  }
}
