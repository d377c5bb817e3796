import { DeliveryError } from '../../core/errors.ts'
import { encodeCatalogueEnvelope } from '../../core/manifest/parse-envelope.ts'
import { vouchForCatalogue } from '../../core/verify/vouch.ts'
import type { Room } from './room.ts'

/** A catalogue's payload with its signature. */
export interface SignedCatalogue {
  readonly payload: Uint8Array
  readonly bundle: Uint8Array
  /** The catalogue file that this one was made from; another one there means that somebody published meanwhile. */
  readonly replaces: Uint8Array | undefined
}

/**
 * Puts a catalogue in place, checked before and after.
 * @throws {DeliveryError} `publish-conflict`, or why its signature is refused
 */
export async function writeCatalogue(signed: SignedCatalogue, room: Room, signal: AbortSignal): Promise<void> {
  const file = encodeCatalogueEnvelope({ payload: signed.payload, bundles: [signed.bundle] })
  await vouchForCatalogue(file, room.trust.catalogue, room.verifier)
  await room.writer.writeHealth()
  // Kept under their digests: the next catalogue's `previous` names this payload, and the file holds its signature.
  await room.writer.putBytes(signed.payload)
  await room.writer.putBytes(file)
  const found = (await room.reader.readCatalogue(signal)) ?? new Uint8Array()
  if (Buffer.compare(found, signed.replaces ?? new Uint8Array()) !== 0) throw overtaken(room.writer.root)
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
