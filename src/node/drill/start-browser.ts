import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Browser } from 'puppeteer-core'
import { DeliveryError } from '../../core/errors.ts'

export interface BrowserChoice {
  /** Path of a Chromium, Chrome or Edge. Default: SEALIFT_BROWSER, CHROME_PATH, or the first that is on PATH. */
  readonly path: string | undefined
  /** More command-line arguments. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

const PACKAGE = 'puppeteer-core'
const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'microsoft-edge-stable', 'microsoft-edge']
const START_MS = 45_000
/** Nothing of the browser's own goes over the proxy. */
const ARGS = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** Whoever is interrupted clears up and says so: the driver would end the process at once. */
const BY_CALLER = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false } as const

/** @throws {DeliveryError} `tool-missing` that says what to install */
export async function startBrowser(choice: BrowserChoice, load: () => Promise<unknown> = () => import('puppeteer-core')): Promise<Browser> {
  const { launch } = await loadDriver(load)
  const executablePath = choice.path ?? installedBrowser(choice.env)
  if (executablePath === undefined)
    throw new DeliveryError({
      code: 'tool-missing',
      tool: 'Chromium',
      detail: 'install Chromium, Chrome or Edge, or name one with --browser',
    })
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  try {
    return await launch({ executablePath, args: [...ARGS, ...asRoot, ...choice.args], env: choice.env, timeout: START_MS, ...BY_CALLER })
  } catch (error) {
    const detail = `${executablePath} does not start: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`
    throw new DeliveryError({ code: 'tool-missing', tool: 'Chromium', detail }, { cause: error })
  }
}

type Driver = Pick<typeof import('puppeteer-core'), 'launch'>

async function loadDriver(load: () => Promise<unknown>): Promise<Driver> {
  const missing = (cause?: unknown): DeliveryError => {
    const detail = `a drill drives a browser with it: npm install ${PACKAGE}`
    return new DeliveryError({ code: 'tool-missing', tool: PACKAGE, detail }, { cause })
  }
  const module = await load().catch((error: unknown) => {
    throw missing(error)
  })
  if (!isDriver(module)) throw missing()
  return module
}

function isDriver(module: unknown): module is Driver {
  return typeof module === 'object' && module !== null && 'launch' in module && typeof module.launch === 'function'
}

function installedBrowser(env: BrowserChoice['env']): string | undefined {
  const named = env['SEALIFT_BROWSER'] ?? env['CHROME_PATH']
  if (named !== undefined && named !== '') return named
  const folders = (env['PATH'] ?? '').split(delimiter)
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(canRun)
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Absent and not executable come to the same.
    return false
  }
}
