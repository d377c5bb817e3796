import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError } from '../../core/errors.ts'
import { encodeCatalogueEnvelope } from '../../core/manifest/parse-envelope.ts'
import { vouchForCatalogue } from '../../core/verify/vouch.ts'
import type { EarlierFile } from './earlier-catalogue.ts'
import { requireAcceptable } from './judge-next.ts'
import type { Room } from './room.ts'
import type { SiteLock } from './site-lock.ts'

/** A catalogue's payload with its signatures. */
export interface SignedCatalogue {
  readonly payload: Uint8Array
  readonly bundles: readonly Uint8Array[]
  /** What this one was made from; another file there means that somebody published meanwhile. */
  readonly replaces: EarlierFile
}

/**
 * Puts a catalogue in place, checked before and after.
 * @param to.lock held since the earlier catalogue was read
 * @throws {DeliveryError} `publish-conflict`, `input-invalid`, or why its signatures are refused
 */
export async function writeCatalogue(
  signed: SignedCatalogue,
  { room, lock }: { readonly room: Room; readonly lock: SiteLock },
  signal: AbortSignal,
): Promise<void> {
  const file = encodeCatalogueEnvelope({ payload: signed.payload, bundles: signed.bundles })
  const { catalogue, payloadSha256 } = await vouchForCatalogue(file, room.trust.catalogue, room.verifier)
  requireAcceptable({ catalogue, payloadSha256, earlier: signed.replaces.accepted }, nowSeconds(room.clock))
  await room.writer.writeHealth()
  // Kept under their digests: the next catalogue's `previous` names this payload, and the file holds its signature.
  await room.writer.putBytes(signed.payload)
  await room.writer.putBytes(file)
  const found = (await room.reader.readCatalogue(signal)) ?? new Uint8Array()
  if (Buffer.compare(found, signed.replaces.file ?? new Uint8Array()) !== 0) throw overtaken(room.writer.root)
  await lock.requireHeld()
  signal.throwIfAborted()
  await room.writer.writeCatalogue(file)
  const written = await room.reader.readCatalogue(signal)
  await vouchForCatalogue(written ?? new Uint8Array(), room.trust.catalogue, room.verifier)
}

/** The error for a site that somebody else published to. */
export function overtaken(site: string): DeliveryError {
  return new DeliveryError({
    code: 'publish-conflict',
    name: 'catalogue.json',
    detail: `${site} was published to meanwhile; publish again`,
  })
}
