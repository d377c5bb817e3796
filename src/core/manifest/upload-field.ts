import type { JsonField } from '../json/json-field.ts'
import { DEFAULT_UPLOAD, isUploadRate, UPLOAD_BOUNDS, type UploadLimits } from '../plan/upload-limits.ts'

const UPLOAD = ['slots', 'wanBytesPerSecond', 'lanBytesPerSecond', 'sessionBytes'] as const
const { slots, bytesPerSecondLeast, bytesPerSecondMost, sessionBytes } = UPLOAD_BOUNDS

/** `mesh.upload`: what is left out is as by default. */
export function readUpload(field: JsonField): UploadLimits {
  const get = field.object(UPLOAD)
  return {
    slots: get('slots').optional((item) => item.integer(0, slots)) ?? DEFAULT_UPLOAD.slots,
    wanBytesPerSecond: get('wanBytesPerSecond').optional(readRate) ?? DEFAULT_UPLOAD.wanBytesPerSecond,
    lanBytesPerSecond: get('lanBytesPerSecond').optional(readRate),
    sessionBytes: get('sessionBytes').optional((item) => item.integer(0, sessionBytes)) ?? DEFAULT_UPLOAD.sessionBytes,
  }
}

function readRate(field: JsonField): number {
  const rate = field.integer(0, bytesPerSecondMost)
  if (!isUploadRate(rate)) throw field.refuse(`expected 0, or at least ${bytesPerSecondLeast}`)
  return rate
}
