import { DeliveryError } from '../../core/errors.ts'
import type { Clock, SignatureVerifier } from '../../core/ports.ts'
import { createSigstoreVerifier } from '../../trust/sigstore-verifier.ts'
import { readSiteIn, type SiteReader } from '../site/site-reader.ts'
import { writeSite, type SiteWriter } from '../site/site-writer.ts'
import { systemClock } from '../system-clock.ts'
import { trustOfPolicy, type SiteTrust } from '../../core/verify/site-trust.ts'
import type { PublishSigner } from './publish-signer.ts'

/** What every step of publishing works with. */
export interface Room {
  readonly reader: SiteReader
  readonly writer: SiteWriter
  readonly trust: SiteTrust
  readonly verifier: SignatureVerifier
  readonly clock: Clock
}

export interface RoomOptions {
  readonly site: string
  readonly signer?: PublishSigner | undefined
  readonly trust?: SiteTrust | undefined
  readonly verifier?: SignatureVerifier | undefined
  readonly clock?: Clock | undefined
}

/** @throws {DeliveryError} `policy-missing` */
export function openRoom(options: RoomOptions): Room {
  const trust = options.trust ?? (options.signer === undefined ? undefined : trustOfPolicy(options.signer.policy))
  if (trust === undefined)
    throw new DeliveryError({
      code: 'policy-missing',
      detail: 'without a signer, say whose signatures count',
    })
  return {
    reader: readSiteIn(options.site),
    writer: writeSite(options.site),
    trust,
    verifier: options.verifier ?? createSigstoreVerifier(),
    clock: options.clock ?? systemClock,
  }
}
