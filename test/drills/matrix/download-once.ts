import type { AuditRecord } from 'sealift/page'
import type { Browser } from 'puppeteer-core'
import { demand } from '../scenario.ts'
import { endingWords, finish, hashAtPage, openPortal, startDownload, waitForController, type Finished } from '../visit.ts'
import type { CellTools } from './cell.ts'
import type { MatrixArtifact } from './matrix-room.ts'

const LIST_MS = 15_000

/** One visit of a portal for one artifact. */
export interface Errand {
  readonly url: string
  readonly artifact: MatrixArtifact
  /** Default: that of the group. */
  readonly browser?: Browser
  /** Breaks something once the page is ready: the engine is warm and has the catalogue, as when somebody looks at the portal. */
  readonly beforeStart: () => Promise<void>
}

/** A visit that ends with the right file at the page, and a record that says so. */
export async function downloadOnce(
  { room, launch, signal }: CellTools,
  errand: Errand,
): Promise<{ readonly finished: Finished; readonly record: AuditRecord }> {
  const { artifact } = errand
  const page = await openPortal(errand.browser ?? (await launch()), errand.url)
  // Ends whatever waits for the page.
  const onAbort = (): void => void page.close().catch(() => undefined)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await waitForController(page)
    await page.evaluate((ms) => window.sealift?.list(AbortSignal.timeout(ms)).then(() => undefined), LIST_MS)
    await errand.beforeStart()
    await startDownload(page, artifact.name)
    const finished = await finish(page)
    const { ending } = finished
    if (ending.kind !== 'delivered') throw new Error(`not so: it is delivered; it ended ${endingWords(ending)}`)
    const received = await hashAtPage(page, room.receiver.url)
    demand(received.sha256 === artifact.sha256, `the page has the right SHA-256, not ${received.sha256}`)
    demand(received.sizeBytes === artifact.sizeBytes, 'the page has every byte')
    demand(ending.record.outcome.kind === 'delivered', 'the record says so')
    return { finished, record: ending.record }
  } finally {
    signal.removeEventListener('abort', onAbort)
    if (!page.isClosed()) await page.close()
  }
}

/** From the fault to the first verified piece of one source; null when it was not needed. */
export function recoveryFrom({ events }: Finished, faultMs: number, sourceId: string): number | null {
  for (const { atMs, event } of events) {
    if (atMs < faultMs || event.kind !== 'progress') continue
    if (event.pieces.some(({ source }) => source === sourceId)) return atMs - faultMs
  }
  return null
}

/** Received and of no use. */
export function wastedBytesOf({ sources, artifact }: AuditRecord): number {
  return sources.reduce((sum, source) => sum + source.receivedBytes, 0) - artifact.sizeBytes
}
