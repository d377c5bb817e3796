import { DeliveryError, describeFailure } from '../../core/errors.ts'
import type { Catalogue } from '../../core/manifest/catalogue.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { SignatureVerifier } from '../../core/ports.ts'
import type { SiteReader } from '../site/site-reader.ts'
import { vouchForCatalogue } from '../../core/verify/vouch.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'

/** The catalogue file that a site has, accepted or not; undefined when there is none. */
export interface EarlierFile {
  readonly file: Uint8Array | undefined
  readonly accepted: EarlierCatalogue | undefined
}

/** What a site publishes now, under a signature that counts. */
export interface EarlierCatalogue {
  readonly catalogue: Catalogue
  /** What was signed. */
  readonly payload: Uint8Array
  readonly payloadSha256: Sha256
}

/**
 * The catalogue that a site has, only when this publisher's own trust accepts it: its entries are signed again, and whoever
 * could write into the folder must not get them signed.
 * @throws {DeliveryError} `publish-conflict`
 */
export async function readEarlierCatalogue(
  reader: SiteReader,
  options: {
    /** Undefined: whatever it is of. */
    readonly repository: string | undefined
    readonly trust: SiteTrust
    readonly verifier: SignatureVerifier
    readonly mayReplace: boolean
  },
  signal: AbortSignal,
): Promise<EarlierFile> {
  const file = await reader.readCatalogue(signal)
  if (file === undefined) return { file, accepted: undefined }
  try {
    const { catalogue, payload, payloadSha256 } = await vouchForCatalogue(file, options.trust.catalogue, options.verifier)
    const expected = options.repository ?? catalogue.repository
    if (catalogue.repository === expected) return { file, accepted: { catalogue, payload, payloadSha256 } }
    throw new DeliveryError({
      code: 'catalogue-repository',
      expected,
      offered: catalogue.repository,
    })
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error
    if (options.mayReplace) return { file, accepted: undefined }
    const detail = `the catalogue in ${reader.place} is not accepted by this signer's trust (${describeFailure(error.failure)})`
    throw new DeliveryError({ code: 'publish-conflict', name: 'catalogue.json', detail }, { cause: error })
  }
}
