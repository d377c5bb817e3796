import { DeliveryError, type Failure } from '../core/errors.ts'

type RefreshFailure = Extract<Failure, { readonly code: 'trust-refresh-failed' }>

/** Which document of the repository. */
export type TufRole = RefreshFailure['role']

export function refused(role: TufRole, reason: RefreshFailure['reason'], detail: string, cause?: unknown): DeliveryError {
  return new DeliveryError({ code: 'trust-refresh-failed', role, reason, detail }, { cause })
}
