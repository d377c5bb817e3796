import { DeliveryError, failureOf } from '../../core/errors.ts'
import { parseSiteConfig } from '../../core/manifest/parse-site-config.ts'
import type { CdnOriginConfig, GatewayConfig, SiteConfig } from '../../core/manifest/site-config.ts'
import type { Clock } from '../../core/ports.ts'
import type { Records } from '../../stores/index-values.ts'
import { createDeadline } from '../deadline.ts'
import { isWebUrl } from '../site/document.ts'
import { readConfig, readConfigBytes } from '../verify/read-config.ts'

/** With the copy of an earlier run at hand, the portal gets this long. */
const WITH_COPY_MS = 3000

export interface LoadedConfig {
  readonly config: SiteConfig
  /** The portal gave no usable answer: what it said in an earlier run counts. */
  readonly isCopy: boolean
}

/**
 * `sealift.json` of a site: from a file, or from the portal, whose last good answer is kept for when it is down too.
 * @throws {DeliveryError} `config-invalid`, `config-unavailable`, `policy-missing`, `source-*` when there is no copy either; `input-invalid`, `quota-exceeded`,
 * `store-failed` when its answer cannot be kept
 */
export async function loadSiteConfig(
  { place, records, clock }: { readonly place: string; readonly records: Records; readonly clock: Clock },
  signal: AbortSignal,
): Promise<LoadedConfig> {
  if (!isWebUrl(place)) return { config: await readConfig(place, signal), isCopy: false }
  const key = `site-config:${place}`
  const kept = parseKept(await records.get(key, signal), place)
  const fresh = await fetchFresh(place, { clock, hasCopy: kept !== undefined }, signal)
  if ('config' in fresh) {
    // Outside of what a copy makes up for: a folder that cannot be written to is no reason to believe an older answer.
    await records.put(key, fresh.bytes, signal)
    return { config: fresh.config, isCopy: false }
  }
  if (kept === undefined) throw fresh.error
  return { config: kept, isCopy: true }
}

type Fresh = { readonly config: SiteConfig; readonly bytes: Uint8Array } | { readonly error: DeliveryError }

async function fetchFresh(
  place: string,
  { clock, hasCopy }: { readonly clock: Clock; readonly hasCopy: boolean },
  signal: AbortSignal,
): Promise<Fresh> {
  try {
    const bytes = await fetchWithin(place, { clock, limitMs: hasCopy ? WITH_COPY_MS : undefined }, signal)
    return { config: parseSiteConfig(bytes, place), bytes }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof DeliveryError)) throw error
    return { error }
  }
}

function parseKept(bytes: unknown, place: string): SiteConfig | undefined {
  if (!(bytes instanceof Uint8Array)) return undefined
  try {
    return parseSiteConfig(bytes, place)
  } catch (error) {
    if (failureOf(error) === undefined) throw error
    return undefined
  }
}

async function fetchWithin(
  place: string,
  { clock, limitMs }: { readonly clock: Clock; readonly limitMs: number | undefined },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const deadline = limitMs === undefined ? undefined : createDeadline(clock, limitMs, signal)
  try {
    return await readConfigBytes(place, deadline?.signal ?? signal)
  } catch (error) {
    if (deadline?.isMissed !== true) throw error
    throw new DeliveryError({ code: 'config-unavailable', detail: `${place} does not answer` }, { cause: error })
  } finally {
    deadline?.release()
  }
}

export interface AddedPlaces {
  readonly origins: readonly CdnOriginConfig[]
  readonly gateways: readonly Pick<GatewayConfig, 'id' | 'url'>[]
}

/**
 * The configuration for a machine without a browser: places that the command line adds come first, and there are no peers.
 * @throws {DeliveryError} `input-invalid` when an added place has the name of another, or nobody could be asked
 */
export function configForDownload(config: SiteConfig, place: string, added: AddedPlaces): SiteConfig {
  // Read from a file, nobody knows what its relative URLs count from: they became this one.
  const isKnown = ({ url }: { readonly url: string }): boolean => isWebUrl(place) || !url.startsWith('http://localhost/')
  const origins = config.origins.filter(isKnown)
  const gateways = config.gateways.filter(isKnown)
  const known = new Map([...origins, ...gateways].map(({ id, url }) => [id, url]))
  const fresh = <T extends { readonly id: string; readonly url: string }>(places: readonly T[]): readonly T[] =>
    places.filter(({ id, url }) => {
      const other = known.get(id)
      if (other !== undefined && other !== url)
        throw new DeliveryError({ code: 'input-invalid', path: id, detail: `already is the name of ${other}; write NAME=URL` })
      known.set(id, url)
      return other === undefined
    })
  const all = {
    origins: [...fresh(added.origins), ...origins],
    gateways: [...fresh(added.gateways).map((gateway) => ({ ...gateway, addressSpace: undefined })), ...gateways],
  }
  if (all.origins.length + all.gateways.length === 0)
    throw new DeliveryError({
      code: 'input-invalid',
      path: place,
      detail: 'names no place to fetch from; add one with --origin or --gateway',
    })
  return { ...config, ...all, mesh: { ...config.mesh, mode: 'off' } }
}
