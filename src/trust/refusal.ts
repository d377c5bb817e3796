import { VerificationError } from '@sigstore/verify'
import { DeliveryError, type Failure } from '../core/errors.ts'

/** How far verification came before each code is given: of several refusals the furthest says most. */
const STAGE: Readonly<Partial<Record<Failure['code'], number>>> = {
  'bundle-invalid': 1,
  'signature-invalid': 2,
  'identity-mismatch': 3,
  'subject-mismatch': 4,
  'provenance-refused': 5,
}

/** Whatever the Sigstore packages throw, as one of our failures: their parsers throw untyped errors on hostile input. */
export function refusalOf(error: unknown): DeliveryError {
  if (error instanceof DeliveryError) return error
  if (error instanceof VerificationError) return new DeliveryError({ code: 'signature-invalid', detail: detailOf(error) }, { cause: error })
  return bundleInvalid(detailOf(error), error)
}

export function bundleInvalid(detail: string, cause?: unknown): DeliveryError {
  return new DeliveryError({ code: 'bundle-invalid', detail }, { cause })
}

/** The refusal that came furthest; the earliest of equals. @throws {TypeError} when there is none */
export function mostTelling(refusals: readonly DeliveryError[]): DeliveryError {
  const [first, ...rest] = refusals
  if (first === undefined) throw new TypeError('expected a refusal')
  return rest.reduce((best, next) => (stageOf(next) > stageOf(best) ? next : best), first)
}

/** Runs each attempt and keeps what passes, at least one. @throws {DeliveryError} the most telling refusal, when none does */
export function allAccepted<T, R>(candidates: readonly T[], attempt: (candidate: T) => R): readonly R[] {
  const accepted: R[] = []
  const refusals: DeliveryError[] = []
  for (const candidate of candidates) {
    try {
      accepted.push(attempt(candidate))
    } catch (error) {
      refusals.push(refusalOf(error))
    }
  }
  if (accepted.length === 0) throw mostTelling(refusals)
  return accepted
}

/** Runs each attempt until one passes. @throws {DeliveryError} the most telling refusal, when none does */
export function firstAccepted<T, R>(candidates: readonly T[], attempt: (candidate: T) => R): R {
  const refusals: DeliveryError[] = []
  for (const candidate of candidates) {
    try {
      return attempt(candidate)
    } catch (error) {
      refusals.push(refusalOf(error))
    }
  }
  throw mostTelling(refusals)
}

function stageOf(refusal: DeliveryError): number {
  return STAGE[refusal.code] ?? 0
}

function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unreadable'
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return `${error.message}${cause}`
}
