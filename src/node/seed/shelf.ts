import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError, failureOf, type Failure } from '../../core/errors.ts'
import type { Catalogue, CatalogueEntry } from '../../core/manifest/catalogue.ts'
import { chooseByDigest, isEntryDenied } from '../../core/manifest/choose.ts'
import type { SiteConfig } from '../../core/manifest/site-config.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { Clock, SignatureVerifier } from '../../core/ports.ts'
import type { TrustState } from '../../core/verify/trust-chain.ts'
import { createSigstoreVerifier } from '../../trust/sigstore-verifier.ts'
import { readInput } from '../input-file.ts'
import { sha256OfFile } from '../signing/content.ts'
import { blobPath, readSite, readSiteIn, type SiteReader } from '../site/site-reader.ts'
import { newestTrust } from '../trust-updates/newest-trust.ts'
import { findCatalogue, type FoundCatalogue } from '../verify/find-catalogue.ts'
import { openHolding, seededEntry, type Holding } from './library.ts'
import type { SeedLog } from './seed-event.ts'

export interface ShelfOptions {
  readonly config: SiteConfig
  /** Folders of the published layout, and single artifacts. At least one. */
  readonly places: readonly string[]
  /** Where the catalogue and the documents of single artifacts are. Default: the origins and gateways of the configuration. */
  readonly sites: readonly string[] | undefined
  readonly clock: Clock
  readonly log: SeedLog
  readonly verifier?: SignatureVerifier | undefined
}

/** What a seed may give away at the moment. */
export interface Shelf {
  /** In the order of offering: newest of the catalogue first. */
  holdings(): readonly Holding[]
  find(artifact: Sha256): Holding | undefined
  /** The newest accepted catalogue as served; undefined while there is none. */
  catalogue(): Uint8Array | undefined
  /** The accepted trust update of this number, as served. */
  trustUpdate(version: number): Uint8Array | undefined
  /** Takes an artifact off: its bytes are not what they were. */
  drop(artifact: Sha256, failure: Failure): void
}

/** A shelf that follows its site. */
export interface FilledShelf extends Shelf {
  /**
   * Looks at the site again and takes what is new there, drops what was withdrawn.
   * @param onChange called after each artifact, since to read a large one takes time
   * @throws {DeliveryError} why the site is not believed; nothing then changes
   */
  refresh(onChange: () => void, signal: AbortSignal): Promise<void>
}

export async function openShelf(options: ShelfOptions, signal: AbortSignal): Promise<FilledShelf> {
  const folders: string[] = []
  const files: string[] = []
  for (const place of options.places) ((await readInput(place, (path) => stat(path))).isDirectory() ? folders : files).push(place)
  const named = [...options.config.origins, ...options.config.gateways].map(({ url }) => url)
  const sites = [...folders.map(readSiteIn), ...(folders.length > 0 && files.length === 0 ? [] : (options.sites ?? named).map(readSite))]
  if (sites.length === 0)
    throw new DeliveryError({
      code: 'input-invalid',
      path: '--site',
      detail: 'is needed: the configuration names no origin that has a catalogue',
    })
  const digests = new Map<Sha256, string>()
  for (const file of files) digests.set((await sha256OfFile(file, signal)).sha256, file)
  return new SiteShelf({ ...options, folders, sites, digests, verifier: options.verifier ?? createSigstoreVerifier() })
}

interface Room extends Omit<ShelfOptions, 'sites'> {
  readonly folders: readonly string[]
  readonly sites: readonly SiteReader[]
  /** Single artifacts, by what they are. */
  readonly digests: ReadonlyMap<Sha256, string>
  readonly verifier: SignatureVerifier
}

interface Reading {
  readonly site: SiteReader
  readonly updates: ReadonlyMap<number, Uint8Array>
}

/** A site of which each mutable file is read once: what is passed on has to be the very bytes that were verified. */
function readOnce(site: SiteReader): Reading {
  const updates = new Map<number, Uint8Array>()
  let catalogue: Uint8Array | undefined
  return {
    updates,
    site: {
      ...site,
      readCatalogue: async (signal) => (catalogue ??= await site.readCatalogue(signal)),
      async readTrustUpdate(version, signal) {
        const bytes = updates.get(version) ?? (await site.readTrustUpdate(version, signal))
        if (bytes !== undefined) updates.set(version, bytes)
        return bytes
      },
    },
  }
}

/** Where places differ, one of them has what was refused, and nobody remembers which: then that update is not passed on. */
function agreedUpdates(readings: readonly Reading[]): ReadonlyMap<number, Uint8Array> {
  const agreed = new Map<number, Uint8Array>()
  for (const version of new Set(readings.flatMap(({ updates }) => [...updates.keys()]))) {
    const [first, ...others] = readings.flatMap(({ updates }) => updates.get(version) ?? [])
    if (first !== undefined && others.every((other) => Buffer.from(other).equals(first))) agreed.set(version, first)
  }
  return agreed
}

interface Wanted {
  readonly entry: CatalogueEntry
  readonly path: string
}

class SiteShelf implements FilledShelf {
  readonly #room: Room
  #holdings: ReadonlyMap<Sha256, Holding> = new Map()
  readonly #dropped = new Set<Sha256>()
  #updates: ReadonlyMap<number, Uint8Array> = new Map()
  #found: FoundCatalogue | undefined
  #file: Uint8Array | undefined
  #trust: TrustState | undefined

  constructor(room: Room) {
    this.#room = room
  }

  holdings(): readonly Holding[] {
    return [...this.#holdings.values()]
  }

  find(artifact: Sha256): Holding | undefined {
    return this.#holdings.get(artifact)
  }

  catalogue(): Uint8Array | undefined {
    return this.#file
  }

  trustUpdate(version: number): Uint8Array | undefined {
    // Of those that were read, the ones up to the newest accepted one were verified.
    return this.#trust !== undefined && version <= this.#trust.config.version ? this.#updates.get(version) : undefined
  }

  drop(artifact: Sha256, failure: Failure): void {
    const holding = this.#holdings.get(artifact)
    if (holding === undefined) return
    this.#dropped.add(artifact)
    this.#holdings = new Map([...this.#holdings].filter(([sha256]) => sha256 !== artifact))
    this.#room.log({ event: 'refused', artifact: holding.entry, failure })
  }

  async refresh(onChange: () => void, signal: AbortSignal): Promise<void> {
    const { config, clock, verifier } = this.#room
    const readings = this.#room.sites.map(readOnce)
    const sites = readings.map(({ site }) => site)
    const trust = await newestTrust(config, sites, signal)
    const found = await findCatalogue(
      {
        sites,
        policy: trust.site.catalogue,
        verifier,
        repository: config.repository,
        minimumVersion: Math.max(trust.config.minimumVersion, trust.reset?.floor ?? this.#found?.catalogue.version ?? 0),
        maxGraceSeconds: config.maxGraceSeconds,
        nowSeconds: nowSeconds(clock),
      },
      signal,
    )
    const isKnown = found.payloadSha256 === this.#found?.payloadSha256 && trust.config.version === this.#trust?.config.version
    if (isKnown) return
    const wanted = this.#wantedOf(found, trust)
    this.#trust = trust
    this.#found = found
    this.#file = await found.site.readCatalogue(signal)
    this.#updates = agreedUpdates(readings)
    this.#withdraw(new Set(wanted.map(({ entry }) => entry.artifact.sha256)))
    onChange()
    for (const one of wanted) {
      await this.#take(one, { found, trust }, signal)
      onChange()
    }
  }

  #wantedOf(found: FoundCatalogue, trust: TrustState): readonly Wanted[] {
    const { digests, folders } = this.#room
    const { catalogue, site } = found
    const isAllowed = (entry: CatalogueEntry): boolean =>
      entry.mesh &&
      !isEntryDenied(catalogue, entry) &&
      !trust.denied.includes(entry.artifact.sha256) &&
      !trust.denied.includes(entry.manifest.sha256)
    const single = [...digests].flatMap(([sha256, path]) => {
      const entry = this.#chooseSingle(catalogue, sha256)
      return entry === undefined ? [] : [{ entry, path }]
    })
    const all = folders.includes(site.place)
      ? catalogue.artifacts.toReversed().map((entry) => ({ entry, path: join(site.place, blobPath(entry.artifact.sha256)) }))
      : []
    return [...single, ...all].filter(({ entry }) => isAllowed(entry))
  }

  /** A file that was named has to be listed when the seed starts. Later it may be withdrawn like any other. */
  #chooseSingle(catalogue: Catalogue, sha256: Sha256): CatalogueEntry | undefined {
    try {
      return chooseByDigest(catalogue, sha256)
    } catch (error) {
      if (this.#found === undefined || failureOf(error) === undefined) throw error
      return undefined
    }
  }

  #withdraw(wanted: ReadonlySet<Sha256>): void {
    const gone = this.holdings().filter(({ entry }) => !wanted.has(entry.sha256))
    for (const { entry } of gone) this.#room.log({ event: 'withdrawn', artifact: entry })
    this.#holdings = new Map([...this.#holdings].filter(([sha256]) => wanted.has(sha256)))
  }

  async #take(
    { entry, path }: Wanted,
    { found, trust }: { readonly found: FoundCatalogue; readonly trust: TrustState },
    signal: AbortSignal,
  ): Promise<void> {
    const { sha256 } = entry.artifact
    if (this.#dropped.has(sha256)) return
    const earlier = this.#holdings.get(sha256)
    const { verifier, log } = this.#room
    try {
      const holding = await openHolding({ entry, path, reader: found.site, trust: trust.site, verifier, earlier }, signal)
      this.#holdings = new Map([...this.#holdings, [sha256, holding]])
      if (earlier === undefined) log({ event: 'offered', artifact: holding.entry })
    } catch (error) {
      const failure = failureOf(error)
      if (failure === undefined) throw error
      this.#holdings = new Map([...this.#holdings].filter(([other]) => other !== sha256))
      log({ event: 'refused', artifact: seededEntry(entry), failure })
    }
  }
}
