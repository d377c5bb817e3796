import { randomInt } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError } from '../../core/errors.ts'
import type { Manifest } from '../../core/manifest/manifest.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { Clock, SignatureVerifier } from '../../core/ports.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { createSigstoreVerifier } from '../../trust/sigstore-verifier.ts'
import { inParallel } from '../in-parallel.ts'
import { readSiteAt, type SiteReader } from '../site/site-reader.ts'
import { systemClock } from '../system-clock.ts'
import { createAsk, type Ask } from './ask.ts'
import { checkAnswers } from './blob-checks.ts'
import { catalogueRows, type NewestCatalogue } from './catalogue-rows.ts'
import { lookAtCatalogues, newestOf, type CatalogueLook, type ProbedPlace } from './catalogues.ts'
import { piecesToDraw } from './draw.ts'
import { countPieces, drawPieces, listPublished, type Listing, type Piece } from './listing.ts'
import { challenge, checkPresence } from './presence.ts'
import type { ProbedOrigin, ProbeRound, ProbeRow } from './round.ts'

/** Whose signature counts at the moment. */
export interface ProbeTrust {
  readonly trust: SiteTrust
  readonly denied: readonly Sha256[]
  /** Lowest catalogue version that is accepted. */
  readonly minimumVersion: number
}

export interface ProbeOptions {
  /** Origins and gateways to begin with, as base URLs without credentials; the verified catalogue names more. At least one. */
  readonly places: readonly ProbedPlace[]
  /** Asked before each round, since trust updates change it. */
  readonly trust: (signal: AbortSignal) => Promise<ProbeTrust>
  /** Undefined: of any repository. */
  readonly repository?: string | undefined
  /** Origin of the portal whose scripts have to be able to read all this. Undefined: nothing is said of CORS. */
  readonly portal?: string | undefined
  /** Ids of places that cannot be reached from here. Default: none. */
  readonly skip?: readonly string[] | undefined
  /** Draws so many pieces that this share of rotten ones is found with this probability. Undefined: none are drawn. */
  readonly challenge?: { readonly rot: number; readonly confidence: number } | undefined
  /** How long a server may be silent. Milliseconds, default 10,000. */
  readonly timeoutMs?: number | undefined
  /** How long one check of one place may take in all. Milliseconds, default 120,000. */
  readonly checkMs?: number | undefined
  /** How long after a publication a place may still have the version before it. Default 120. */
  readonly lagSeconds?: number | undefined
  /** What has to be left until the catalogue expires. Default 0. */
  readonly minLeftSeconds?: number | undefined
  /** Called with each row as soon as it is found, in whatever order places answer. */
  readonly onRow?: ((row: ProbeRow) => void) | undefined
  readonly clock?: Clock | undefined
  readonly verifier?: SignatureVerifier | undefined
  /** A number from 0 to `below` - 1. Default: one that nobody can foretell, a mirror least of all. */
  readonly pick?: ((below: number) => number) | undefined
}

export interface Probe {
  /**
   * Looks at every place once. What is wrong with a place is a row, never an error.
   * @throws what `trust` throws; `signal.reason`
   */
  round(signal: AbortSignal): Promise<ProbeRound>
}

const LANES = 8
const TIMEOUT_MS = 10_000
const CHECK_MS = 120_000
const LAG_SECONDS = 120

/**
 * Looks at a site from outside, as its visitors do. Remembers from round to round the highest version that it saw, and the manifests.
 * @throws {DeliveryError} `input-invalid` for a place that no page would ask
 * @throws {RangeError} when `challenge` asks for what cannot be
 * @example
 * const signal = AbortSignal.timeout(600_000)
 * const trust = siteTrust((await readConfig('public/sealift.json', signal)).trust)
 * const probe = createProbe({
 *   places: [{ id: 'cdn', tier: 'cdn', url: 'https://cdn.example/' }],
 *   trust: async () => ({ trust, denied: [], minimumVersion: 0 }),
 * })
 * const { ok, rows } = await probe.round(signal)
 * console.log(ok, rows.filter((row) => !row.ok))
 */
export function createProbe(options: ProbeOptions): Probe {
  requirePlaces(options.places)
  const { timeoutMs = TIMEOUT_MS, clock = systemClock } = options
  const tools: Tools = {
    options,
    clock,
    ask: createAsk({ clock, timeoutMs }),
    headers: options.portal === undefined ? {} : { Origin: options.portal },
    verifier: options.verifier ?? createSigstoreVerifier(),
    drawn: options.challenge === undefined ? 0 : piecesToDraw(options.challenge),
    reader: ({ url }) => readSiteAt(url, timeoutMs),
    manifests: new Map(),
  }
  let newest: NewestCatalogue | undefined
  const lookAtAll = async (signal: AbortSignal): Promise<ProbeRound> => {
    const looks = await look(tools, signal)
    const found = newestOf(looks)
    newest = newerOf(newest, found)
    const published = found && (await list(tools, found, looks, signal))
    const reports = new Map<CatalogueLook, Report>()
    await inParallel(looks, LANES, async (one) => void reports.set(one, await inspect(one, { tools, newest, published }, signal)))
    const told = looks.flatMap((one) => reports.get(one) ?? [])
    const rows = told.flatMap((report) => report.rows)
    return {
      ok: rows.every(({ ok }) => ok) && found !== undefined,
      atSeconds: nowSeconds(clock),
      catalogue: found && describeFound(found),
      origins: told.map(({ origin }) => origin),
      rows,
    }
  }
  return { round: (signal) => withOwnSignal(signal, lookAtAll) }
}

/** Many questions at once listen to one signal: Node warns of that, so it is not the caller's. */
async function withOwnSignal<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const own = new AbortController()
  setMaxListeners(0, own.signal)
  const follow = (): void => own.abort(signal.reason)
  signal.addEventListener('abort', follow, { once: true })
  try {
    return await work(own.signal)
  } finally {
    signal.removeEventListener('abort', follow)
  }
}

interface Tools {
  readonly options: ProbeOptions
  readonly clock: Clock
  readonly ask: Ask
  readonly headers: Readonly<Record<string, string>>
  readonly verifier: SignatureVerifier
  /** Pieces of a challenge; 0: there is none. */
  readonly drawn: number
  readonly reader: (place: ProbedPlace) => SiteReader
  readonly manifests: Map<Sha256, Manifest>
}

type Found = NonNullable<ReturnType<typeof newestOf>>

interface Published {
  readonly listing: Listing
  readonly drawn: { readonly pieces: readonly Piece[]; readonly lost: readonly string[]; readonly total: number }
}

interface Report {
  readonly origin: ProbedOrigin
  readonly rows: readonly ProbeRow[]
}

async function look({ options, ask, headers, verifier, clock }: Tools, signal: AbortSignal): Promise<readonly CatalogueLook[]> {
  const { trust, denied, minimumVersion } = await options.trust(signal)
  const rules = { trust, denied, minimumVersion, repository: options.repository, nowSeconds: nowSeconds(clock) }
  const isLeftOut = ({ id }: ProbedPlace): boolean => options.skip?.includes(id) === true
  return await lookAtCatalogues(options.places, { ask, headers, verifier, rules, isLeftOut }, signal)
}

/** Asks first where the newest catalogue came from, and nobody who did not answer. */
async function list(tools: Tools, found: Found, looks: readonly CatalogueLook[], signal: AbortSignal): Promise<Published> {
  const others = looks.filter(({ place, vouched }) => place.id !== found.place.id && vouched !== undefined)
  const readers = [found, ...others].map(({ place }) => tools.reader(place))
  const listing = await listPublished(found.vouched.catalogue, { readers, known: tools.manifests }, signal)
  const { pick = randomInt } = tools.options
  const drawn = await drawPieces(listing, { count: tools.drawn, pick, readers }, signal)
  return { listing, drawn: { ...drawn, total: countPieces(listing) } }
}

async function inspect(
  one: CatalogueLook,
  {
    tools,
    newest,
    published,
  }: { readonly tools: Tools; readonly newest: NewestCatalogue | undefined; readonly published: Published | undefined },
  signal: AbortSignal,
): Promise<Report> {
  const { options, ask, headers } = tools
  const { lagSeconds = LAG_SECONDS, minLeftSeconds = 0, checkMs = CHECK_MS, portal } = options
  const demands = { nowSeconds: nowSeconds(tools.clock), lagSeconds, minLeftSeconds }
  const rows: ProbeRow[] = []
  const add = (...found: readonly ProbeRow[]): void => {
    rows.push(...found)
    for (const row of found) options.onRow?.(row)
  }
  add(...catalogueRows(one, newest, demands))
  const origin = describeOrigin(one, demands.nowSeconds)
  if (!origin.isUp || published === undefined) return { origin, rows }
  const { listing, drawn } = published
  const place = { place: one.place, ask, checkMs }
  if (listing.sample !== undefined) add(...(await checkAnswers(listing.sample, { ask, look: one, portal, headers }, signal)))
  add(await checkPresence(listing.blobs, place, signal))
  if (tools.drawn === 0) return { origin, rows }
  const { row, checked, rotten } = await challenge(drawn, place, signal)
  add(row)
  return { origin: { ...origin, piecesChecked: checked, piecesRotten: rotten }, rows }
}

function describeOrigin({ place, reply, vouched }: CatalogueLook, now: number): ProbedOrigin {
  return {
    id: place.id,
    tier: place.tier,
    url: place.url,
    isUp: reply.firstByteMs !== undefined,
    firstByteMs: reply.firstByteMs,
    catalogueVersion: vouched?.catalogue.version,
    catalogueExpiresInSeconds: vouched && vouched.catalogue.expiresAtSeconds - now,
    piecesChecked: 0,
    piecesRotten: 0,
  }
}

function describeFound({ vouched }: Found): ProbeRound['catalogue'] {
  const { repository, version, expiresAtSeconds, artifacts } = vouched.catalogue
  return { repository, version, expiresAtSeconds, artifacts: artifacts.length }
}

function newerOf(known: NewestCatalogue | undefined, found: Found | undefined): NewestCatalogue | undefined {
  if (found === undefined) return known
  const { version } = found.vouched.catalogue
  if (known !== undefined && known.version > version) return { ...known, from: 'an earlier round', payloadSha256: undefined }
  return { version, from: found.place.id, payloadSha256: found.vouched.payloadSha256 }
}

function requirePlaces(places: readonly ProbedPlace[]): void {
  if (places.length === 0) throw invalid('places', 'name at least one origin or gateway')
  for (const { id, url } of places) {
    const { protocol, username, password, search, hash } = new URL(url)
    // The address itself is not repeated: it may hold a password.
    if (username !== '' || password !== '') throw invalid(id, 'has a name and password in its URL, which no page would send')
    if (!/^https?:$/.test(protocol) || search !== '' || hash !== '' || !url.endsWith('/'))
      throw invalid(id, 'is no http or https URL that ends in / and has no query')
  }
}

function invalid(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail })
}
