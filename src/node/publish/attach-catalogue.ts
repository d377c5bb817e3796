import { nowSeconds } from '../../core/clock.ts'
import type { Catalogue } from '../../core/manifest/catalogue.ts'
import { isFromFuture } from '../../core/manifest/freshness.ts'
import { parseCatalogue } from '../../core/manifest/parse-catalogue.ts'
import type { Clock, SignatureVerifier } from '../../core/ports.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { readEarlierCatalogue, type EarlierCatalogue } from './earlier-catalogue.ts'
import { openRoom } from './room.ts'
import { checkPublished } from './self-check.ts'
import { withSiteLock } from './site-lock.ts'
import { overtaken, writeCatalogue } from './write-catalogue.ts'

/** A prepared catalogue, and the signature that was made over it elsewhere. */
export interface AttachOptions {
  readonly site: string
  /** What `preparePublish` handed back. */
  readonly payload: Uint8Array
  /** Sigstore bundles over it: one of each signer that has to sign. */
  readonly bundles: readonly Uint8Array[]
  readonly trust: SiteTrust
  readonly verifier?: SignatureVerifier | undefined
  readonly clock?: Clock | undefined
}

/**
 * Publishes a prepared catalogue under a signature made elsewhere.
 * @throws {DeliveryError} `publish-conflict` when the site has moved on since, or somebody is publishing to it; `input-invalid` when it
 * has expired meanwhile; or why the bundle was refused
 * @example
 * import { readFile } from 'node:fs/promises'
 *
 * const signal = AbortSignal.timeout(60_000)
 * const { trust } = await readConfig('public/sealift.json', signal)
 * const [payload, bundle] = await Promise.all([readFile('catalogue.payload'), readFile('catalogue.sigstore.json')])
 * await attachCatalogue({ site: 'site', payload, bundles: [bundle], trust: siteTrust(trust) }, signal)
 */
export async function attachCatalogue(options: AttachOptions, signal: AbortSignal): Promise<Catalogue> {
  const room = openRoom(options)
  const catalogue = parseCatalogue(options.payload)
  const { repository, previous } = catalogue
  return withSiteLock(options.site, async (lock) => {
    const earlier = await readEarlierCatalogue(room.reader, { ...room, repository, mayReplace: previous === undefined }, signal)
    if (!isNext(catalogue, earlier.accepted, nowSeconds(room.clock))) throw overtaken(options.site)
    for (const entry of catalogue.artifacts) await checkPublished(entry, room, signal)
    await writeCatalogue({ payload: options.payload, bundles: options.bundles, replaces: earlier }, { room, lock }, signal)
    return catalogue
  })
}

function isNext({ version, previous }: Catalogue, earlier: EarlierCatalogue | undefined, nowSeconds: number): boolean {
  // What a wrong clock published is replaced by a catalogue that begins anew.
  const before =
    earlier !== undefined && previous === undefined && isFromFuture(earlier.catalogue.version, nowSeconds) ? undefined : earlier
  return previous?.sha256 === before?.payloadSha256 && version > (before?.catalogue.version ?? 0)
}
