import { DeliveryError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { parseSiteConfig } from '../../core/manifest/parse-site-config.ts'
import type { SiteConfig } from '../../core/manifest/site-config.ts'
import { fetchDocument, isWebUrl, readDocument } from '../site/document.ts'

/**
 * Reads `/sealift.json` from a file or a URL. In a file, relative URLs count from http://localhost/.
 * @throws {DeliveryError} `config-unavailable`, `config-invalid`, `policy-missing`, `source-*`
 */
export async function readConfig(place: string, signal: AbortSignal): Promise<SiteConfig> {
  signal.throwIfAborted()
  const limitBytes = LIMITS.siteConfigBytes
  const bytes = isWebUrl(place) ? await fetchDocument(place, limitBytes, signal) : await readDocument(place, limitBytes)
  if (bytes === undefined) throw new DeliveryError({ code: 'config-unavailable', detail: `there is no ${place}` })
  return parseSiteConfig(bytes, isWebUrl(place) ? place : 'http://localhost/')
}
