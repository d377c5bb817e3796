import { readFileSync, writeFileSync } from 'node:fs'
import type { Browser } from 'puppeteer-core'

/** Resident memory of the renderer that has grown most since the start, from the system's own account of it. */
export interface MemoryWatch {
  /** Most that one renderer held at any moment beyond what it held at the start, in MiB; undefined where the system does not tell. */
  peakMiB(): Promise<number | undefined>
}

const KIB_IN_MIB = 1024

/** Linux keeps the highest mark itself, so that no moment is missed between two looks. */
export async function watchRenderers(browser: Browser): Promise<MemoryWatch> {
  const before = new Map<number, number>()
  for (const pid of await rendererPids(browser)) {
    const { rssKiB } = statusOf(pid)
    if (rssKiB === undefined || !forgetPeak(pid)) continue
    before.set(pid, rssKiB)
  }
  return {
    async peakMiB() {
      const grown = (await rendererPids(browser)).flatMap((pid) => {
        const start = before.get(pid)
        const { peakKiB } = statusOf(pid)
        return start === undefined || peakKiB === undefined ? [] : [(peakKiB - start) / KIB_IN_MIB]
      })
      return grown.length === 0 ? undefined : Math.max(...grown)
    },
  }
}

async function rendererPids(browser: Browser): Promise<readonly number[]> {
  const cdp = await browser.target().createCDPSession()
  const { processInfo } = await cdp.send('SystemInfo.getProcessInfo')
  await cdp.detach()
  return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
}

function statusOf(pid: number): { readonly rssKiB: number | undefined; readonly peakKiB: number | undefined } {
  const text = readOrNothing(`/proc/${pid}/status`)
  const field = (name: string): number | undefined => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)
    return match === null ? undefined : Number(match[1])
  }
  return { rssKiB: field('VmRSS'), peakKiB: field('VmHWM') }
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // the process has ended, or the system is another one
  }
}

/** `5` sets the highest mark back to what is held now: proc(5). @returns whether it may */
function forgetPeak(pid: number): boolean {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
    return true
  } catch {
    return false
  }
}
