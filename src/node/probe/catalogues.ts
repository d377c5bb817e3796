import { DeliveryError, describeFailure } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { Origin } from '../../core/manifest/catalogue.ts'
import { acceptCatalogue } from '../../core/manifest/freshness.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { SignatureVerifier } from '../../core/ports.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { vouchForCatalogue, type VouchedCatalogue } from '../../core/verify/vouch.ts'
import { inParallel } from '../in-parallel.ts'
import type { Answered, Ask, Reply } from './ask.ts'

/** Where the published layout is served. */
export type ProbedPlace = Pick<Origin, 'id' | 'tier' | 'url'>

/** By what a catalogue is judged. */
export interface CatalogueRules {
  readonly trust: SiteTrust
  readonly denied: readonly Sha256[]
  readonly minimumVersion: number
  /** Undefined: of any repository. */
  readonly repository: string | undefined
  readonly nowSeconds: number
}

/** What one place answered when it was asked for its catalogue. */
export interface CatalogueLook {
  readonly place: ProbedPlace
  readonly reply: Reply
  /** Undefined when it cannot be believed. */
  readonly vouched: VouchedCatalogue | undefined
  /** Why not. */
  readonly refusal: string | undefined
}

interface Looking {
  readonly ask: Ask
  readonly verifier: SignatureVerifier
  readonly rules: CatalogueRules
  readonly headers: Readonly<Record<string, string>>
}

const LANES = 8

/**
 * Asks every place for its catalogue, and those that a believed catalogue names besides.
 * @param places at least one
 * @param isLeftOut places that are not to be asked
 */
export async function lookAtCatalogues(
  places: readonly ProbedPlace[],
  looking: Looking & { readonly isLeftOut: (place: ProbedPlace) => boolean },
  signal: AbortSignal,
): Promise<readonly CatalogueLook[]> {
  const looks: CatalogueLook[] = []
  const known = new Set<string>()
  let waiting = newPlaces(places, known)
  while (waiting.length > 0) {
    const asked = waiting.filter((place) => !looking.isLeftOut(place))
    const found = new Map<ProbedPlace, CatalogueLook>()
    await inParallel(asked, LANES, async (place) => void found.set(place, await lookAt(place, looking, signal)))
    looks.push(...asked.flatMap((place) => found.get(place) ?? []))
    const named = newestOf(looks)?.vouched.catalogue.origins ?? []
    waiting = newPlaces(named, known)
  }
  return withOwnNames(looks)
}

/** The newest that is believed, expired or not; the first of several. */
export function newestOf(looks: readonly CatalogueLook[]): (CatalogueLook & { readonly vouched: VouchedCatalogue }) | undefined {
  return looks
    .flatMap((look) => (look.vouched === undefined ? [] : [{ ...look, vouched: look.vouched }]))
    .reduce<ReturnType<typeof newestOf>>(
      (best, look) => (look.vouched.catalogue.version > (best?.vouched.catalogue.version ?? -1) ? look : best),
      undefined,
    )
}

function newPlaces(places: readonly ProbedPlace[], known: Set<string>): readonly ProbedPlace[] {
  return places.filter(({ url }) => !known.has(url) && known.add(url))
}

/** Ids come from several documents: rows of two places must not be taken for one. */
function withOwnNames(looks: readonly CatalogueLook[]): readonly CatalogueLook[] {
  const taken = new Set<string>()
  return looks.map((look) => {
    const { place } = look
    const id = taken.has(place.id) ? `${place.id} (${place.url})` : place.id
    taken.add(id)
    return { ...look, place: { ...place, id } }
  })
}

async function lookAt(place: ProbedPlace, looking: Looking, signal: AbortSignal): Promise<CatalogueLook> {
  const url = new URL('catalogue.json', place.url).href
  const reply = await looking.ask({ url, headers: looking.headers, limitBytes: LIMITS.catalogueBytes }, signal)
  if (reply.kind === 'unanswered') return { place, reply, vouched: undefined, refusal: reply.detail }
  try {
    return { place, reply, vouched: await vouch(reply, looking), refusal: undefined }
  } catch (error) {
    if (error instanceof DeliveryError) return { place, reply, vouched: undefined, refusal: describeFailure(error.failure) }
    if (error instanceof Refusal) return { place, reply, vouched: undefined, refusal: error.message }
    throw error
  }
}

class Refusal extends Error {}

async function vouch({ status, headers, body }: Answered, { rules, verifier }: Looking): Promise<VouchedCatalogue> {
  if (status === 404) throw new Refusal('there is no catalogue.json')
  if (status !== 200) throw new Refusal(describeStatus(status, headers))
  if (body === undefined) throw new DeliveryError({ code: 'format-oversized', document: 'catalogue', limitBytes: LIMITS.catalogueBytes })
  const vouched = await vouchForCatalogue(body, rules.trust.catalogue, verifier)
  const { catalogue, payloadSha256 } = vouched
  acceptCatalogue({
    offered: catalogue,
    offeredSha256: payloadSha256,
    floor: undefined,
    minimumVersion: rules.minimumVersion,
    repository: rules.repository ?? catalogue.repository,
    nowSeconds: rules.nowSeconds,
  })
  if (rules.denied.includes(payloadSha256)) throw new DeliveryError({ code: 'artifact-denied', sha256: payloadSha256 })
  return vouched
}

/** A status that is no success; of a redirect, where it leads, without what may be secret in that address. */
export function describeStatus(status: number, headers: Headers): string {
  const location = headers.get('location')
  if (status < 300 || status >= 400 || location === null) return `answers ${status}`
  const target = URL.canParse(location) ? new URL(location).host : 'another path'
  return `answers ${status}: a redirect to ${target}, which pages do not follow`
}
