import type { Page } from 'puppeteer-core'
import { readWatch, type Stage } from './stage.ts'

/** What a page answers: how far it came. */
export interface PageResult {
  readonly bytes: number
  /** From the call to the last byte, or to the limit. */
  readonly tookMs: number
}

/** One transfer, as measured. */
export interface Transfer extends PageResult {
  /** Of all processes of all browsers. */
  readonly cpuSeconds: number
  readonly firstByteMs: number | undefined
  /** From the first time that the page asked to meet others; undefined where it says nothing that we know. */
  readonly firstByteAfterJoinMs: number | undefined
  /** Of main threads, both ends. */
  readonly longestTaskMs: number
}

/** Somebody who moves the same number of bytes between the same browsers. */
export interface Contestant {
  readonly name: string
  /** @param limitMs then what has come so far counts */
  run(limitMs: number): Promise<Transfer>
  close(): Promise<void>
}

/**
 * One transfer of one contestant, in a page in which nothing was ever fetched.
 * @param leech an open page; it is closed
 */
export async function measure(
  stage: Stage,
  pages: { readonly leech: Page; readonly seeds: readonly Page[] },
  work: (leech: Page) => Promise<PageResult>,
): Promise<Transfer> {
  const all = [pages.leech, ...pages.seeds]
  await Promise.all(all.map((page) => page.evaluate(() => void (window.meshWatch && (window.meshWatch.longestTaskMs = 0)))))
  const before = await stage.cpuSeconds()
  const result = await work(pages.leech)
  const cpuSeconds = (await stage.cpuSeconds()) - before
  const watches = await Promise.all(all.map(readWatch))
  await pages.leech.close()
  const [{ startedAtMs, joinedAtMs, firstByteAtMs } = { startedAtMs: undefined, joinedAtMs: undefined, firstByteAtMs: undefined }] = watches
  const since = (fromMs: number | undefined): number | undefined =>
    fromMs === undefined || firstByteAtMs === undefined ? undefined : firstByteAtMs - fromMs
  return {
    ...result,
    cpuSeconds,
    firstByteMs: since(startedAtMs),
    firstByteAfterJoinMs: since(joinedAtMs),
    longestTaskMs: Math.max(...watches.map((watch) => watch.longestTaskMs)),
  }
}
