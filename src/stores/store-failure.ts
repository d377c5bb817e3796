import { DeliveryError, failureOf } from '../core/errors.ts'

/**
 * What a store throws for whatever the platform threw: `quota-exceeded` or `store-failed`, with the original as `cause`.
 * A `DeliveryError` passes unchanged.
 */
export function toStoreError(error: unknown, facts: { readonly doing: string; readonly neededBytes: number }): DeliveryError {
  if (error instanceof DeliveryError) return error
  const name = error instanceof Error ? error.name : ''
  if (name === 'QuotaExceededError') return new DeliveryError({ code: 'quota-exceeded', neededBytes: facts.neededBytes }, { cause: error })
  return storeFailed(`${facts.doing}: ${sentence(name, error)}`, error)
}

/** True for what a full or broken disk makes; false for mistakes, cancellation, and an index that a newer version of this code owns. */
export function isStorageTrouble(error: unknown): boolean {
  const code = failureOf(error)?.code
  return code === 'quota-exceeded' || code === 'store-failed'
}

export function storeFailed(detail: string, cause?: unknown): DeliveryError {
  return new DeliveryError({ code: 'store-failed', detail }, { cause })
}

function sentence(name: string, error: unknown): string {
  if (name === 'NoModificationAllowedError') return 'another tab or worker of this site holds the file'
  if (name === 'NotFoundError') return 'the stored data is gone; it was probably cleared'
  if (name === 'SecurityError') return 'this browser does not allow storage here'
  return String(error).slice(0, 300)
}
