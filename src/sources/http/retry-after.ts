import { LIMITS } from '../../core/limits.ts'

/**
 * Reads `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date. Capped at 60 seconds, so that no server can put itself to sleep for ever.
 * Undefined when missing or unreadable.
 */
export function parseRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined
  const text = value.trim()
  if (/^\d{1,9}$/.test(text)) return Math.min(Number(text), LIMITS.retryAfterSeconds)
  if (!/[a-z]/i.test(text)) return undefined
  const dateMs = Date.parse(text)
  if (Number.isNaN(dateMs)) return undefined
  return Math.min(Math.max(Math.ceil((dateMs - nowMs) / 1000), 0), LIMITS.retryAfterSeconds)
}
