import { describeStatus, type CatalogueLook } from './catalogues.ts'
import { judgeCatalogueHeaders, type Complaints } from './header-words.ts'
import { rowOf } from './blob-checks.ts'
import type { ProbeRow } from './round.ts'
import { sayDuration } from './say-duration.ts'

/** What the catalogue of each place is compared with. */
export interface NewestCatalogue {
  /** The highest version that any place has, or had in an earlier round. */
  readonly version: number
  /** Where that was. */
  readonly from: string
  /** Undefined when no place has it any more. */
  readonly payloadSha256: string | undefined
}

export interface CatalogueDemands {
  readonly nowSeconds: number
  /** How long after a publication a place may still have the version before it. */
  readonly lagSeconds: number
  /** What has to be left until it expires. */
  readonly minLeftSeconds: number
}

/** Rows `reachable`, `catalogue` and `catalogue-headers`; the first alone when nobody answered. */
export function catalogueRows(look: CatalogueLook, newest: NewestCatalogue | undefined, demands: CatalogueDemands): readonly ProbeRow[] {
  const { place, reply } = look
  const up = rowOf(place, 'reachable', {
    complaints: reply.kind === 'unanswered' && reply.firstByteMs === undefined ? [reply.detail] : [],
    fine: 'answers',
    ms: reply.firstByteMs ?? reply.ms,
  })
  if (!up.ok) return [up]
  const fine = describeAge(look, demands)
  const rows = [up, rowOf(place, 'catalogue', { complaints: judgeCatalogue(look, newest, demands), fine, ms: reply.ms })]
  if (reply.kind === 'unanswered') return rows
  const headers = reply.status === 200 ? judgeCatalogueHeaders(reply.headers) : [describeStatus(reply.status, reply.headers)]
  return [...rows, rowOf(place, 'catalogue-headers', { complaints: headers, fine: 'kept for a short time', ms: reply.ms })]
}

function describeAge({ vouched }: CatalogueLook, { nowSeconds }: CatalogueDemands): string {
  if (vouched === undefined) return ''
  const { version, expiresAtSeconds } = vouched.catalogue
  return `version ${version}, ${sayDuration(expiresAtSeconds - nowSeconds)} left`
}

function judgeCatalogue({ vouched, refusal }: CatalogueLook, newest: NewestCatalogue | undefined, demands: CatalogueDemands): Complaints {
  if (vouched === undefined || newest === undefined) return [refusal ?? 'cannot be believed']
  const { version, expiresAtSeconds } = vouched.catalogue
  const isOther = version === newest.version && newest.payloadSha256 !== undefined && vouched.payloadSha256 !== newest.payloadSha256
  return [
    ...judgeVersion(version, newest, demands),
    ...(isOther ? [`version ${version} is not the same as that of ${newest.from}`] : []),
    ...judgeRest(expiresAtSeconds - demands.nowSeconds, demands),
  ]
}

function judgeVersion(version: number, newest: NewestCatalogue, { nowSeconds, lagSeconds }: CatalogueDemands): Complaints {
  // A version may be a second ahead: no lag is no lag all the same.
  const mayLag = lagSeconds > 0 && nowSeconds - newest.version < lagSeconds
  if (version >= newest.version || mayLag) return []
  return [`version ${version} is behind ${newest.version} of ${newest.from}, ${sayDuration(newest.version - version)} older`]
}

function judgeRest(leftSeconds: number, { minLeftSeconds }: CatalogueDemands): Complaints {
  if (leftSeconds <= 0) return [`expired ${sayDuration(-leftSeconds)} ago`]
  return leftSeconds < minLeftSeconds ? [`only ${sayDuration(leftSeconds)} left`] : []
}
