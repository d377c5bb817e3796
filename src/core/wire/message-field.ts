import { documentComplaints } from '../json/json.ts'
import { JsonField } from '../json/json-field.ts'
import type { BlobRef } from '../model/artifact.ts'
import { isSha256 } from '../model/ids.ts'
import { LIMITS } from '../limits.ts'
import type { Tier } from '../ports.ts'

/** Opens a message that came over a port. It is structured data, not text, but just as foreign. */
export function openMessage(value: unknown): JsonField {
  return new JsonField(value, COMPLAINTS)
}

const COMPLAINTS = documentComplaints('bridge-message')

/** At most `limit` bytes. */
export function readBytes(field: JsonField, limit: number): Uint8Array {
  const bytes = field.foreignObject()
  if (!(bytes instanceof Uint8Array)) throw field.refuse('expected bytes')
  if (bytes.length > limit) throw field.refuse(`expected at most ${limit} bytes, got ${bytes.length}`)
  return bytes
}

/** A blob by digest and size in bytes. */
export function readBlobRef(field: JsonField): BlobRef {
  const read = field.object(['sha256', 'sizeBytes'])
  return {
    sha256: read('sha256').checked(isSha256, '64 lower-case hex digits'),
    sizeBytes: read('sizeBytes').integer(0, LIMITS.artifactBytes),
  }
}

export function readTier(field: JsonField): Tier {
  return field.oneOf(['cdn', 'gateway', 'mesh'])
}

/** Number of a call or a read: each is used once on its port. */
export function readNumber(field: JsonField): number {
  return field.integer(0)
}

/** A set of pieces: bits as in `Bitfield`, or all. */
export function readBits(field: JsonField): Uint8Array | 'all' {
  return typeof field.peek() === 'string' ? field.oneOf(['all']) : readBytes(field, LIMITS.pieceListBytes)
}
