import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { publishFiles, startSite, type Publication, type Site } from './site.ts'
import { closePages } from './visitor.ts'

/** What most tests in a browser need. Each part is there once the hooks have run. */
export interface Room {
  /** One for a whole file of tests. */
  readonly publication: Publication
  /** Without a page when a test begins. */
  readonly chromium: LaunchedBrowser
  /** A new one for each test. */
  readonly site: Site
}

/** Opens a room for the tests of this file, and clears it up after them. What a test adds is cleared up before. */
export function openRoom(): Room {
  let shared: Pick<Room, 'publication' | 'chromium'>
  let site: Site

  beforeAll(async () => {
    const [publication, chromium] = await Promise.all([publishFiles(), launchChromium()])
    shared = { publication, chromium }
  })

  beforeEach(async () => {
    site = await startSite(shared.publication)
  })

  afterEach(async () => {
    await closePages(shared.chromium.browser)
    await site.close()
  })

  afterAll(async () => {
    await shared.chromium.close()
    await shared.publication.remove()
  })

  return {
    get publication() {
      return shared.publication
    },
    get chromium() {
      return shared.chromium
    },
    get site() {
      return site
    },
  }
}
