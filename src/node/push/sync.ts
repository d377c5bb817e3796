import { collectBytes } from '../../core/collect-bytes.ts'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import { siteReaderOf, type SiteReader } from '../site/site-reader.ts'
import { mirror, requireOther, retriesOf, type MirrorOptions, type PushReport } from './push.ts'
import type { PushTarget } from './push-target.ts'
import { retried, type Retries } from './retries.ts'

export interface SyncOptions extends MirrorOptions {
  /** A mirror that holds the release: whichever is left. */
  readonly from: PushTarget
  /** Hash every file that a mirror has already. Default false: its size is enough. */
  readonly deep?: boolean | undefined
}

/**
 * Fills what mirrors lack, or hold in the wrong size, from another mirror. Each target stands for itself: it names the catalogue once it
 * holds all of it, whatever becomes of the others. `isComplete` is false when one failed. Removes nothing.
 * @throws {DeliveryError} when what `from` holds is not what a client would take
 * @example
 * const signal = AbortSignal.timeout(600_000)
 * const trust = siteTrust((await readConfig('public/sealift.json', signal)).trust)
 * const [from, ...targets] = openTargets(['https://cdn.example/', '/srv/mirror'], { env: process.env })
 * if (from !== undefined) console.log((await syncMirrors({ from, targets, trust }, signal)).mirrors)
 */
export async function syncMirrors({ from, deep = false, ...options }: SyncOptions, signal: AbortSignal): Promise<PushReport> {
  if (options.targets.length === 0) throw new DeliveryError({ code: 'input-invalid', path: 'targets', detail: 'name at least one' })
  await requireOther(from.place, options.targets)
  const retries = retriesOf(options)
  const place = { files: from, reader: readMirror(from, retries), folder: undefined, retries }
  const report = await mirror({ options, place, quorum: 1, isDeep: deep }, signal)
  return { ...report, quorum: report.mirrors.length, isComplete: report.mirrors.every(({ state }) => state !== 'failed') }
}

/** The layout as a mirror gives it back. */
export function readMirror(from: PushTarget, retries: Retries = retriesOf({})): SiteReader {
  return siteReaderOf(from.place, async (path, { document, limitBytes }, signal) => {
    const tooLong = () => new DeliveryError({ code: 'format-oversized', document, limitBytes })
    const read = async (): Promise<Uint8Array | undefined> => {
      try {
        return await collectBytes(from.read(path, signal), limitBytes, tooLong)
      } catch (error) {
        if (failureOf(error)?.code === 'source-missing') return undefined
        throw error
      }
    }
    return await retried(read, retries, signal)
  })
}
