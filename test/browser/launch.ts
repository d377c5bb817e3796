import { findBrowser, findFirefox } from '../../scripts/browser.mjs'
import { startChromium, startFirefox, type LaunchChoices, type LaunchedBrowser } from './start-browser.ts'

export type { LaunchedBrowser } from './start-browser.ts'

/** Starts a headless Chromium with a profile of its own. @throws {Error} when none is installed */
export async function launchChromium(choices: LaunchChoices = {}): Promise<LaunchedBrowser> {
  const found = findBrowser()
  if (found === undefined) throw new Error('no Chromium on this machine; `npm run browser` gets one')
  return await startChromium(found, choices)
}

/** True where `launchFirefox` can work. Firefox is never fetched: its tests report themselves as not run. */
export function hasFirefox(): boolean {
  return findFirefox() !== undefined
}

/** Starts a headless Firefox with a profile of its own, driven over WebDriver BiDi. @throws {Error} when none is installed */
export async function launchFirefox(choices: LaunchChoices = {}): Promise<LaunchedBrowser> {
  const executablePath = findFirefox()
  if (executablePath === undefined) throw new Error('no Firefox on this machine')
  return await startFirefox(executablePath, choices)
}
