import { DeliveryError, describeFailure, failureOf } from '../../core/errors.ts'
import type { Catalogue } from '../../core/manifest/catalogue.ts'
import { acceptCatalogue, judgeFreshness } from '../../core/manifest/freshness.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { EarlierCatalogue } from './earlier-catalogue.ts'

/** A catalogue that is about to be signed or put in place. */
export interface NextCatalogue {
  readonly catalogue: Catalogue
  readonly payloadSha256: Sha256
  /** The one that it follows. */
  readonly earlier: EarlierCatalogue | undefined
}

const DAY_SECONDS = 86_400

/**
 * Asks of a catalogue what each client will ask, by the clock of this machine: one that is ahead of all clocks, since a publisher's
 * was wrong once, would be refused by every client, and so would all that come after it.
 * @throws {DeliveryError} `publish-conflict`, `input-invalid`
 */
export function requireAcceptable({ catalogue, payloadSha256, earlier }: NextCatalogue, nowSeconds: number): void {
  try {
    acceptCatalogue({
      offered: catalogue,
      offeredSha256: payloadSha256,
      // A catalogue that names none before it begins anew.
      floor: earlier && catalogue.previous && { version: earlier.catalogue.version, sha256: earlier.payloadSha256 },
      minimumVersion: 0,
      repository: catalogue.repository,
      nowSeconds,
    })
    if (judgeFreshness(catalogue, { nowSeconds, maxGraceSeconds: 0 }) === 'fresh') return
  } catch (error) {
    throw refusal(error, catalogue, nowSeconds)
  }
}

function refusal(error: unknown, { version }: Catalogue, nowSeconds: number): unknown {
  const failure = failureOf(error)
  if (failure === undefined) return error
  if (failure.code === 'catalogue-future') {
    const days = Math.floor((version - nowSeconds) / DAY_SECONDS)
    const detail = `its version would be ${version}, which is ${days} days ahead of this machine's clock, and every client would refuse it. Correct the clock; if the one before was published by a wrong clock, replace it`
    return new DeliveryError({ code: 'publish-conflict', name: 'catalogue.json', detail }, { cause: error })
  }
  const detail = `no client would accept it (${describeFailure(failure)})`
  if (failure.code === 'catalogue-expired') return new DeliveryError({ code: 'input-invalid', path: 'catalogue', detail }, { cause: error })
  return new DeliveryError({ code: 'publish-conflict', name: 'catalogue.json', detail }, { cause: error })
}
