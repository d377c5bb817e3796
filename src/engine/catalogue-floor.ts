import { nowSeconds } from '../core/clock.ts'
import { failureOf } from '../core/errors.ts'
import { isFromFuture, type CatalogueFloor } from '../core/manifest/freshness.ts'
import { isSha256 } from '../core/model/ids.ts'
import type { TrustState } from '../core/verify/trust-chain.ts'
import { vouchForCatalogue } from '../core/verify/vouch.ts'
import type { EngineParts } from './parts.ts'

const FLOOR_KEY = 'catalogue-floor'
const CATALOGUE_KEY = 'catalogue'

export function floorKey({ config }: Pick<EngineParts, 'config'>): string {
  return `${FLOOR_KEY}:${config.repository}`
}

/** The newest accepted catalogue as served, if it is kept: any script of the origin could have written it. */
export async function readKeptFile(parts: EngineParts, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const file = await parts.memory.records.get(catalogueKey(parts), signal)
  return file instanceof Uint8Array ? file : undefined
}

export function catalogueKey({ config }: Pick<EngineParts, 'config'>): string {
  return `${CATALOGUE_KEY}:${config.repository}`
}

/** The floor, as the higher of the two places has it: a browser that cleared one of them brings no older catalogue back. */
export async function loadFloor(parts: EngineParts, signal: AbortSignal): Promise<CatalogueFloor | undefined> {
  const own = await readFloor(parts, signal)
  const twin = await readTwin(parts, signal)
  // One of before an update may be what that update reset, and its second copy was never written over.
  return isOutrun(own, twin) && (twin?.trust ?? 0) >= (own?.trust ?? 0) ? twin : own
}

/** The floor as the index has it: quick, for whoever only asks whether another tab has gone on. */
export async function readFloor(parts: EngineParts, signal: AbortSignal): Promise<CatalogueFloor | undefined> {
  return await believed(parts, await parts.memory.records.get(floorKey(parts), signal), signal)
}

async function readTwin(parts: EngineParts, signal: AbortSignal): Promise<CatalogueFloor | undefined> {
  return await believed(parts, await parts.memory.records.twin?.(floorKey(parts), signal), signal)
}

/** Writes the second copy again where a browser cleared it. Under the catalogue's lock. @param floor as the index has it */
export async function mendFloor(parts: EngineParts, floor: CatalogueFloor, signal: AbortSignal): Promise<void> {
  if (isOutrun(await readTwin(parts, signal), floor)) await parts.memory.records.put(floorKey(parts), floor, signal)
}

/** The other is a later one. */
export function isOutrun(known: Versioned | undefined, other: Versioned | undefined): boolean {
  return other !== undefined && other.version > (known?.version ?? 0)
}

interface Versioned {
  readonly version: number
}

/** Any script of the origin could have written it: a number that is no time would put every check of a version out of force. */
async function believed(parts: EngineParts, record: unknown, signal: AbortSignal): Promise<CatalogueFloor | undefined> {
  const floor = parseFloor(record)
  if (isReset(floor, await parts.trust.current(signal))) return undefined
  if (floor === undefined || !isFromFuture(floor.version, nowSeconds(parts.clock))) return floor
  return (await isSignedInKept(parts, floor, signal)) ? floor : undefined
}

function parseFloor(record: unknown): CatalogueFloor | undefined {
  if (typeof record !== 'object' || record === null || !('version' in record) || !('sha256' in record)) return undefined
  const { version, sha256 } = record
  return typeof version === 'number' && Number.isSafeInteger(version) && version > 0 && isSha256(sha256)
    ? { version, sha256, trust: 'trust' in record ? Number(record.trust) : 0 }
    : undefined
}

/** A floor ahead of the clock is nonsense, unless the publisher's signature says that version: then the clock was set back. */
async function isSignedInKept(parts: EngineParts, floor: CatalogueFloor, signal: AbortSignal): Promise<boolean> {
  const file = await readKeptFile(parts, signal)
  if (file === undefined) return false
  try {
    const { catalogue, payloadSha256 } = await vouchForCatalogue(file, (await parts.trust.current(signal)).site.catalogue, parts.verifier)
    return catalogue.version === floor.version && payloadSha256 === floor.sha256
  } catch (error) {
    if (failureOf(error) === undefined) throw error
    return false
  }
}

/** A trust update has put another floor in its place, and no catalogue was accepted since: it and what is kept with it count no more. */
export function isReset(floor: CatalogueFloor | undefined, { reset }: TrustState): boolean {
  return reset !== undefined && (floor?.trust ?? reset.version) < reset.version
}

export async function isKeptReset(parts: EngineParts, signal: AbortSignal): Promise<boolean> {
  return isReset(parseFloor(await parts.memory.records.get(floorKey(parts), signal)), await parts.trust.current(signal))
}
