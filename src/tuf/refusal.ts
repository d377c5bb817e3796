import { DeliveryError } from '../core/errors.ts'

/** Which file of the repository. */
export type TufRole = 'root' | 'timestamp' | 'snapshot' | 'targets' | 'target'

/** What is wrong with it: docs/trust-root-refresh.md says what each means. */
export type TufReason = 'unreachable' | 'missing' | 'oversized' | 'format' | 'signatures' | 'rollback' | 'mismatch' | 'expired'

export function refused(role: TufRole, reason: TufReason, detail: string, cause?: unknown): DeliveryError {
  return new DeliveryError({ code: 'trust-refresh-failed', role, reason, detail }, { cause })
}
