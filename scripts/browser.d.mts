/** A Chromium, Chrome or Edge that can be started. */
export interface Browser {
  readonly path: string
  /** That this build needs to start at all. */
  readonly args: readonly string[]
  /** To be laid over the environment when it is started. */
  readonly env: Readonly<Record<string, string>>
  readonly from: 'environment' | 'path' | 'standard-place' | 'puppeteer-cache' | 'own-cache'
}

/** Fetches nothing. @throws {Error} when the environment names one that cannot be started */
export function findBrowser(): Browser | undefined
/** Path of a Firefox on this machine, or undefined. Never fetched. */
export function findFirefox(): string | undefined
/** Fetches one if none is here. @throws {Error} naming what was tried and what to do */
export function getBrowser(): Browser
