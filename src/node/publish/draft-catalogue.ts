import type { Catalogue, CatalogueEntry, DeliveryHints, Origin } from '../../core/manifest/catalogue.ts'
import { isFromFuture } from '../../core/manifest/freshness.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import { isSameRelease } from './publish-artifact.ts'
import type { EarlierCatalogue } from './earlier-catalogue.ts'

/** What a publisher says beside the artifacts. What is undefined stays as it was. */
export interface CatalogueTerms {
  readonly repository: string
  readonly origins: readonly Origin[] | undefined
  readonly delivery: DeliveryHints | undefined
  readonly denied: readonly Sha256[] | undefined
  readonly lifetimeSeconds: number | undefined
  readonly refreshSeconds: number | undefined
  readonly graceSeconds: number | undefined
}

const DAY = 86_400
/** Long enough for a long weekend with nobody there to sign. */
export const DEFAULT_LIFETIME_SECONDS = 14 * DAY
export const DEFAULT_REFRESH_SECONDS = 3600

export interface DraftInput {
  readonly earlier: EarlierCatalogue | undefined
  /** Its entries, as they are to be listed from now on. */
  readonly listed: readonly CatalogueEntry[]
  readonly artifacts: readonly CatalogueEntry[]
  readonly terms: CatalogueTerms
  /** Drop what is listed and not published again. */
  readonly isReplacing: boolean
  readonly nowSeconds: number
}

/** The next catalogue of a site. Its version is the time, and higher than the one before. */
export function draftCatalogue(input: DraftInput): Catalogue {
  const { earlier, listed, artifacts, terms, isReplacing, nowSeconds } = input
  const before = earlier?.catalogue ?? NOTHING
  const lifetimeSeconds = terms.lifetimeSeconds ?? DEFAULT_LIFETIME_SECONDS
  const refreshSeconds = terms.refreshSeconds ?? DEFAULT_REFRESH_SECONDS
  return {
    schema: 1,
    repository: terms.repository,
    ...placeInLine(input),
    createdAtSeconds: nowSeconds,
    refreshAfterSeconds: nowSeconds + Math.min(refreshSeconds, lifetimeSeconds),
    expiresAtSeconds: nowSeconds + lifetimeSeconds,
    graceSeconds: terms.graceSeconds ?? before.graceSeconds,
    origins: terms.origins ?? before.origins,
    delivery: terms.delivery ?? before.delivery,
    denied: [...new Set([...before.denied, ...(terms.denied ?? [])])],
    artifacts: isReplacing ? artifacts : mergeEntries(listed, artifacts),
  }
}

function placeInLine({ earlier, isReplacing, nowSeconds }: DraftInput): Pick<Catalogue, 'version' | 'previous'> {
  if (earlier === undefined) return { version: nowSeconds, previous: undefined }
  const { version } = earlier.catalogue
  // Published by a clock that was wrong, and refused by every client whose clock is right: nothing can follow it.
  if (isReplacing && isFromFuture(version, nowSeconds)) return { version: nowSeconds, previous: undefined }
  return { version: Math.max(nowSeconds, version + 1), previous: { version, sha256: earlier.payloadSha256 } }
}

const NOTHING = { graceSeconds: 0, origins: [], delivery: { tiers: undefined }, denied: [] } as const

/** True when a client that has `earlier` learns nothing new, and it lives for at least half of its time still. */
export function isStillGood(earlier: Catalogue, next: Catalogue): boolean {
  const lifetime = next.expiresAtSeconds - next.createdAtSeconds
  const isYoung = earlier.expiresAtSeconds - next.createdAtSeconds >= lifetime / 2 && earlier.expiresAtSeconds <= next.expiresAtSeconds
  return isYoung && substance(earlier) === substance(next)
}

function substance({ repository, graceSeconds, origins, delivery, denied, artifacts }: Catalogue): string {
  const sorted = artifacts.map((entry) => JSON.stringify(entry, inOrder)).toSorted()
  return JSON.stringify({ repository, graceSeconds, origins, delivery, denied, sorted }, inOrder)
}

/** The members of an object have no order that means anything. */
function inOrder(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function mergeEntries(before: readonly CatalogueEntry[], now: readonly CatalogueEntry[]): readonly CatalogueEntry[] {
  const kept = before.map((entry) => now.find((next) => isSameRelease(next, entry)) ?? entry)
  return [...kept, ...now.filter((next) => !before.some((entry) => isSameRelease(next, entry)))]
}
