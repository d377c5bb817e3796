import type { Failure } from '../errors.ts'
import { toSourceId } from '../model/ids.ts'
import { encodeJson, openJson } from '../json/json.ts'
import { AUDIT_LIMITS } from './audit-limits.ts'
import { readFailure } from './failure-field.ts'
import type { AuditRecord, SourceTally } from './record.ts'

/** An apostrophe may stand in a URL, so it does not end one. The scheme is bounded, so that a long text costs its length only. */
const URL_IN_TEXT = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)(?:[^\s/?#"<>]*@)?([^\s?#"<>]*)(?:[?#][^\s"<>]*)?/gi

/** The text with every URL cut to scheme, host and path: credentials, signed queries and fragments are secrets of the site. */
export function redactText(text: string): string {
  return text.replace(URL_IN_TEXT, '$1$2')
}

/** The failure with its texts redacted and cut, and with no more reasons below it than a record may hold. */
export function redactFailure(failure: Failure): Failure {
  return readFailure(openJson(encodeJson(redactMembers(failure, 0)), { document: 'audit-record', limitBytes: AUDIT_LIMITS.recordBytes }))
}

/**
 * What may leave the machine of a record, and so what is kept of it at all. Idempotent.
 * Signers and their certificates' facts stay whole: they are public, and are compared literally.
 */
export function redactAuditRecord(record: AuditRecord): AuditRecord {
  const { catalogue, outcome, verdicts, sources } = record
  return {
    ...record,
    outcome: 'failure' in outcome ? { kind: outcome.kind, failure: redactFailure(outcome.failure) } : outcome,
    catalogue: { ...catalogue, source: toSourceId(redactText(catalogue.source)) },
    verdicts: verdicts
      .slice(0, AUDIT_LIMITS.verdicts)
      .map((one) => ('failure' in one ? { bundle: one.bundle, failure: redactFailure(one.failure) } : one)),
    sources: sources.map(redactTally),
  }
}

function redactTally(tally: SourceTally): SourceTally {
  const failures = tally.failures.slice(0, AUDIT_LIMITS.failuresPerSource).map(redactFailure)
  return { ...tally, source: toSourceId(redactText(tally.source)), failures }
}

function redactMembers(value: object, depth: number): object {
  const entries = Object.entries(value).map(([name, member]: [string, unknown]) => [name, redactValue(member, depth)] as const)
  return Object.fromEntries(entries)
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value).slice(0, AUDIT_LIMITS.textCharacters)
  if (typeof value === 'number') return Number.isFinite(value) ? value : 0
  if (Array.isArray(value)) {
    const kept: readonly unknown[] = depth < AUDIT_LIMITS.reasonDepth ? value.slice(0, AUDIT_LIMITS.reasons) : []
    return kept.map((item) => redactValue(item, depth + 1))
  }
  return typeof value === 'object' && value !== null ? redactMembers(value, depth) : value
}
