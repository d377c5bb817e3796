import type { Catalogue } from '../../core/manifest/catalogue.ts'
import { parseCatalogue } from '../../core/manifest/parse-catalogue.ts'
import type { SignatureVerifier } from '../../core/ports.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { readEarlierCatalogue } from './earlier-catalogue.ts'
import { openRoom } from './room.ts'
import { checkPublished } from './self-check.ts'
import { overtaken, writeCatalogue } from './write-catalogue.ts'

/** A prepared catalogue, and the signature that was made over it elsewhere. */
export interface AttachOptions {
  readonly site: string
  /** What `preparePublish` handed back. */
  readonly payload: Uint8Array
  /** Sigstore bundle over it. */
  readonly bundle: Uint8Array
  readonly trust: SiteTrust
  readonly verifier?: SignatureVerifier | undefined
}

/**
 * Publishes a prepared catalogue under a signature made elsewhere.
 * @throws {DeliveryError} `publish-conflict` when the site has moved on since, or why the bundle was refused
 */
export async function attachCatalogue(options: AttachOptions, signal: AbortSignal): Promise<Catalogue> {
  const room = openRoom(options)
  const catalogue = parseCatalogue(options.payload)
  const { repository } = catalogue
  const earlier = await readEarlierCatalogue(room.reader, { ...room, repository, mayReplace: catalogue.previous === undefined }, signal)
  const isNext = catalogue.previous?.sha256 === earlier.accepted?.payloadSha256
  if (!isNext || catalogue.version <= (earlier.accepted?.catalogue.version ?? 0)) throw overtaken(options.site)
  for (const entry of catalogue.artifacts) await checkPublished(entry, room, signal)
  await writeCatalogue({ payload: options.payload, bundle: options.bundle, replaces: earlier.file }, room, signal)
  return catalogue
}
