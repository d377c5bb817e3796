import { DeliveryError, failureOf } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { parseSiteConfig } from '../../core/manifest/parse-site-config.ts'
import type { SiteConfig } from '../../core/manifest/site-config.ts'
import { fetchDocument, isWebUrl, readDocument } from '../site/document.ts'

const LIMIT = { document: 'site-config', limitBytes: LIMITS.siteConfigBytes } as const

/**
 * Reads `/sealift.json` from a file or a URL. In a file, relative URLs count from http://localhost/.
 * @throws {DeliveryError} `config-unavailable`, `config-invalid`, `policy-missing`, `source-*`
 * @example
 * const { repository, origins } = await readConfig('https://portal.example/sealift.json', AbortSignal.timeout(10_000))
 * console.log(repository, origins)
 */
export async function readConfig(place: string, signal: AbortSignal): Promise<SiteConfig> {
  return parseSiteConfig(await readConfigBytes(place, signal), isWebUrl(place) ? place : 'http://localhost/')
}

/** As `readConfig`, before anything of it is looked at. */
export async function readConfigBytes(place: string, signal: AbortSignal): Promise<Uint8Array> {
  signal.throwIfAborted()
  try {
    const bytes = isWebUrl(place) ? await fetchDocument(place, LIMIT, signal) : await readDocument(place, LIMIT)
    if (bytes !== undefined) return bytes
  } catch (error) {
    if (failureOf(error)?.code !== 'format-oversized') throw error
    // Its operator wrote it, and nobody published it.
    const detail = `is longer than ${LIMIT.limitBytes} bytes`
    throw new DeliveryError({ code: 'config-invalid', path: place, detail }, { cause: error })
  }
  throw new DeliveryError({ code: 'config-unavailable', detail: `there is no ${place}` })
}
