import { DeliveryError } from '../../core/errors.ts'
import { errorCode } from '../durable-file.ts'

const FULL = ['ENOSPC', 'EDQUOT', 'EFBIG']
const FORBIDDEN: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'it is read-only',
  ENOENT: 'there is no such folder',
  ENOTDIR: 'there is no such folder',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'a link stands where the unfinished file should be',
}

/**
 * What the system's word about writing to `path` means for a download: `quota-exceeded`, `input-invalid` for a place that cannot be
 * written to, else `store-failed`.
 */
export function diskTrouble(error: unknown, at: { readonly path: string; readonly neededBytes: number }): DeliveryError {
  if (error instanceof DeliveryError) return error
  const code = errorCode(error) ?? ''
  if (FULL.includes(code)) return new DeliveryError({ code: 'quota-exceeded', neededBytes: at.neededBytes }, { cause: error })
  const reason = FORBIDDEN[code]
  if (reason !== undefined)
    return new DeliveryError({ code: 'input-invalid', path: at.path, detail: `cannot be written: ${reason}` }, { cause: error })
  return new DeliveryError({ code: 'store-failed', detail: `${at.path}: ${String(error).slice(0, 300)}` }, { cause: error })
}
