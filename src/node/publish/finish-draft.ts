import { DeliveryError, describeFailure } from '../../core/errors.ts'
import type { Catalogue, CatalogueEntry } from '../../core/manifest/catalogue.ts'
import { encodeCatalogue } from '../../core/manifest/parse-catalogue.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import { sha256Of } from '../../core/verify/digest.ts'
import { requireKept } from './check-kept.ts'
import { isStillGood } from './draft-catalogue.ts'
import type { EarlierCatalogue } from './earlier-catalogue.ts'
import { requireAcceptable } from './judge-next.ts'
import type { Room } from './room.ts'

/** A catalogue that may be signed. */
export interface FinishedDraft {
  readonly catalogue: Catalogue
  /** What to sign, byte for byte. */
  readonly payload: Uint8Array
  readonly payloadSha256: Sha256
  /** False when the one that is there says the same, and lives for long enough: then this is that one. */
  readonly isNew: boolean
}

export interface DraftedFrom {
  readonly earlier: EarlierCatalogue | undefined
  /** Entries that this run has checked to the last byte. */
  readonly published: readonly CatalogueEntry[]
  readonly room: Room
  readonly nowSeconds: number
  /** Sign anew even when the earlier one says the same and lives for long enough. */
  readonly isRenewal?: boolean
}

/**
 * The last questions before a signature: whether clients will take it, and whether all that it names is there.
 * @throws {DeliveryError} `input-invalid`, `publish-conflict`
 */
export async function finishDraft(catalogue: Catalogue, from: DraftedFrom, signal: AbortSignal): Promise<FinishedDraft> {
  const { earlier, published, room, nowSeconds } = from
  const payload = encode(catalogue)
  const payloadSha256 = sha256Of(payload)
  requireAcceptable({ catalogue, payloadSha256, earlier }, nowSeconds)
  if (earlier !== undefined && from.isRenewal !== true && isStillGood(earlier.catalogue, catalogue)) return { ...earlier, isNew: false }
  await requireKept(catalogue, { published, room }, signal)
  return { catalogue, payload, payloadSha256, isNew: true }
}

/** What is wrong with a catalogue here is what the publisher asked for. */
function encode(catalogue: Catalogue): Uint8Array {
  try {
    return encodeCatalogue(catalogue)
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error
    throw new DeliveryError({ code: 'input-invalid', path: 'catalogue', detail: describeFailure(error.failure) }, { cause: error })
  }
}
