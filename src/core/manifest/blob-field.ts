import type { BlobRef } from '../model/artifact.ts'
import { isSha256, type Sha256 } from '../model/ids.ts'
import type { JsonField } from '../json/json-field.ts'

/** `{ sha256, size }`; `limits` in bytes, both ends allowed. */
export function readBlob(field: JsonField, limits: { readonly min: number; readonly max: number }): BlobRef {
  const get = field.object(['sha256', 'size'])
  return { sha256: readSha256(get('sha256')), sizeBytes: get('size').integer(limits.min, limits.max) }
}

export function writeBlob(blob: BlobRef): { readonly sha256: Sha256; readonly size: number } {
  return { sha256: blob.sha256, size: blob.sizeBytes }
}

export function readSha256(field: JsonField): Sha256 {
  return field.checked(isSha256, '64 lower-case hex digits')
}
