import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
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
/** So that it opens the page and nothing else, and asks nobody on the network. */
const QUIET_FIREFOX: readonly (readonly [name: string, value: string])[] = [
  ['browser.aboutwelcome.enabled', 'false'],
  ['browser.shell.checkDefaultBrowser', 'false'],
  ['browser.startup.homepage_override.mstone', "'ignore'"],
  ['datareporting.policy.dataSubmissionEnabled', 'false'],
  ['toolkit.telemetry.reportingpolicy.firstRun', 'false'],
  ['app.update.enabled', 'false'],
  ['network.captive-portal-service.enabled', 'false'],
  ['network.connectivity-service.enabled', 'false'],
]
const START_MS = 45_000
const CLOSE_MS = 10_000

export interface BrowserChoices {
  /** Of an earlier browser. Default: a fresh one, removed at the end. */
  readonly profileDir?: string
  /** Laid over its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** More command-line arguments. */
  readonly args?: readonly string[]
}

export async function launchBrowser(found: FoundBrowser, choices: BrowserChoices = {}): Promise<DrillBrowser> {
  const folder = choices.profileDir ?? (await mkdtemp(join(tmpdir(), 'sealift-drill-')))
  const browser = await puppeteer.launch({
    headless: true,
    userDataDir: folder,
    timeout: START_MS,
    executablePath: found.path,
    args: [...ARGS, ...found.args, ...(choices.args ?? [])],
    env: { ...process.env, ...found.env, ...choices.env },
    handleSIGINT: false,
    handleSIGTERM: false,
  })
  const kill = async (): Promise<void> => {
    const child = browser.process()
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    endGroup(child)
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

/** All of its processes at once: none has a chance to finish anything for another. */
function endGroup(child: ChildProcess): void {
  if (process.platform === 'win32' || child.pid === undefined) {
    child.kill('SIGKILL')
    return
  }
  process.kill(-child.pid, 'SIGKILL')
}

/** A browser that nobody drives: a debugger would keep its service worker alive. The page drives itself. */
export interface LonelyBrowser {
  close(): Promise<void>
}

export async function openFirefox(path: string, url: string): Promise<LonelyBrowser> {
  const profileDir = await mkdtemp(join(tmpdir(), 'sealift-drill-firefox-'))
  await writeFile(join(profileDir, 'user.js'), QUIET_FIREFOX.map(([name, value]) => `user_pref('${name}', ${value});\n`).join(''))
  return openAlone({ path, args: ['--headless', '--no-remote', '--profile', profileDir, url], env: {} }, profileDir)
}

export async function openChromium(found: FoundBrowser, url: string): Promise<LonelyBrowser> {
  const profileDir = await mkdtemp(join(tmpdir(), 'sealift-drill-'))
  return openAlone({ ...found, args: [...ARGS, ...found.args, '--headless', `--user-data-dir=${profileDir}`, url] }, profileDir)
}

function openAlone({ path, args, env }: FoundBrowser, profileDir: string): LonelyBrowser {
  const child = spawn(path, args, { detached: true, stdio: 'ignore', env: { ...process.env, ...env } })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    async close() {
      if (child.exitCode === null && child.signalCode === null) endGroup(child)
      await gone
      await rm(profileDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    },
  }
}
