/** `sealift/storage`: what this browser keeps of artifacts, and for how long. Beside `sealift/page`; most pages do without it. */

import { orAborted } from '../core/or-aborted.ts'
import { pieceRange } from '../core/model/artifact.ts'
import { toSha256 } from '../core/model/ids.ts'
import type { ArtifactFacts, DeliveryEvent, DownloadOptions, Sealift } from '../page/index.ts'
import { openIndex, type SealiftIndex } from '../stores/index-db.ts'
import { choosePurge, type KeptArtifact, type PurgeLimits } from './choose-purge.ts'

export type { KeptArtifact, PurgeLimits } from './choose-purge.ts'

/** What the browser says of the whole origin, other data included. It rounds. */
export interface StorageUsage {
  readonly usedBytes: number
  readonly quotaBytes: number
  /** The browser does not clear this origin by itself when its disk is full. */
  readonly isPersistent: boolean
}

export interface ArtifactStorage {
  /** All that is kept, the last used first. @throws {DeliveryError} `store-failed` */
  list(signal?: AbortSignal): Promise<readonly KeptArtifact[]>
  usage(): Promise<StorageUsage>
  /** Asks the browser not to clear this origin by itself. Some ask the visitor. False when it refuses. */
  persist(): Promise<boolean>
  /** Keeps `purge()` from it, also before it is there. `forget()` and a withdrawal by the publisher still delete it. */
  pin(sha256: string, signal?: AbortSignal): Promise<void>
  unpin(sha256: string, signal?: AbortSignal): Promise<void>
  /**
   * Fetches and verifies an artifact for later, without saving it. It is pinned once it is known which one it is, and stays so when fetching
   * ends badly: the next call goes on from what arrived.
   * @throws as the result of `download()`, and `store-failed` when it cannot be pinned
   */
  preseed(name: string, options?: DownloadOptions): Promise<ArtifactFacts>
  /**
   * Deletes what is over the limits, and returns what it deleted. What some tab is fetching or checking, and what was used or pinned while
   * this runs, stays, so the rest may not fit.
   */
  purge(limits: PurgeLimits, signal?: AbortSignal): Promise<readonly KeptArtifact[]>
  /** Deletes everything, pins included. */
  clear(signal?: AbortSignal): Promise<void>
  close(): void
}

const PIN = 'pin:'
/** The engine holds it, over all tabs, while it writes, judges or deletes that artifact. */
const ARTIFACT_LOCK = 'sealift-artifact:'
const never = new AbortController().signal

/**
 * Opens what is kept. Artifacts are deleted by the engine of `sealift`, which knows who is using them.
 * @throws {DeliveryError} `store-failed` where the browser keeps nothing for this site, `version-skew`
 * @example
 * import { register } from 'sealift/page'
 *
 * const storage = await openStorage(await register())
 * await storage.preseed('edge-agent')
 * await storage.purge({ maxBytes: 2e9 })
 */
export async function openStorage(sealift: Pick<Sealift, 'download' | 'forget'>, signal: AbortSignal = never): Promise<ArtifactStorage> {
  const index = await openIndex(signal)
  const list = (until: AbortSignal = never): Promise<readonly KeptArtifact[]> => listKept(index, until)
  const pin = (sha256: string, until: AbortSignal = never): Promise<void> => index.records.put(pinKey(sha256), true, until)
  const unpin = (sha256: string, until: AbortSignal = never): Promise<void> => index.records.remove(pinKey(sha256), until)
  return {
    list,
    usage,
    persist: () => navigator.storage.persist(),
    pin,
    unpin,
    async preseed(name, options = {}) {
      let pinning: Promise<void> | undefined
      const onEvent = (event: DeliveryEvent): void => {
        // Now, while the engine holds the artifact: at the end a purge in another tab might come first.
        if (event.kind === 'resolved') pinning ??= pin(event.artifact.sha256, options.signal)
        pinning?.catch(() => undefined)
        options.onEvent?.(event)
      }
      const { artifact } = await sealift.download(name, { ...options, onEvent }).result
      await pinning
      return artifact
    },
    async purge(limits, until = never) {
      const gone: KeptArtifact[] = []
      for (const artifact of choosePurge(await list(until), limits, Date.now())) {
        if (!(await isStillUnused(index, artifact, until))) continue
        await orAborted(sealift.forget(artifact.sha256), until)
        gone.push(artifact)
      }
      return gone
    },
    async clear(until = never) {
      for (const key of await index.records.keys(until)) if (key.startsWith(PIN)) await index.records.remove(key, until)
      await orAborted(sealift.forget(), until)
    },
    close: () => index.close(),
  }
}

/** @throws {TypeError} unless it is 64 lower-case hex digits */
function pinKey(sha256: string): string {
  return `${PIN}${toSha256(sha256)}`
}

async function listKept({ artifacts, pieces, records }: SealiftIndex, signal: AbortSignal): Promise<readonly KeptArtifact[]> {
  const pins = new Set(await records.keys(signal))
  const rows = (await artifacts.list(signal)).toSorted((a, b) => b.lastUsedAtMs - a.lastUsedAtMs)
  return await Promise.all(
    rows.map(async ({ sha256, name, version, filename, sizeBytes, state, createdAtMs, lastUsedAtMs, ...cut }) => {
      const space = { sizeBytes, pieces: { lengthBytes: cut.pieceLengthBytes, count: cut.count } }
      const flags = [...(await pieces.list(sha256, 'opfs', signal)), ...(await pieces.list(sha256, 'blobs', signal))]
      const ranges = [...new Set(flags.map(({ index }) => index))].map((index) => pieceRange(space, index))
      const keptBytes = ranges.reduce((sum, { start, end }) => sum + end - start, 0)
      const [isComplete, isPinned] = [state === 'verified', pins.has(pinKey(sha256))]
      return { sha256, name, version, filename, sizeBytes, keptBytes, isComplete, isPinned, createdAtMs, lastUsedAtMs }
    }),
  )
}

/** Whether nothing has happened to it since it was listed. To forget one that is being fetched would wait, and delete what just arrived. */
async function isStillUnused({ artifacts, records }: SealiftIndex, listed: KeptArtifact, signal: AbortSignal): Promise<boolean> {
  const sha256 = toSha256(listed.sha256)
  // First the lock: whoever let go of it before this look has left a trace in the row.
  const { held = [] } = await orAborted(navigator.locks.query(), signal)
  if (held.some(({ name }) => name === `${ARTIFACT_LOCK}${sha256}`)) return false
  const [row, pinned] = await Promise.all([artifacts.get(sha256, signal), records.get(pinKey(sha256), signal)])
  const isSame = row?.lastUsedAtMs === listed.lastUsedAtMs && (row.state === 'verified') === listed.isComplete
  return isSame && pinned === undefined
}

async function usage(): Promise<StorageUsage> {
  const [{ usage: usedBytes = 0, quota: quotaBytes = 0 }, isPersistent] = await Promise.all([
    navigator.storage.estimate(),
    navigator.storage.persisted(),
  ])
  return { usedBytes, quotaBytes, isPersistent }
}
