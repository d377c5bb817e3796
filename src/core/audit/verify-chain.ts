import { failureOf, type Failure } from '../errors.ts'
import type { Sha256 } from '../model/ids.ts'
import { sha256Of } from '../verify/digest.ts'
import { encodeAuditRecord } from './encode-audit-record.ts'
import { parseAuditRecord } from './parse-audit-record.ts'
import type { AuditRecord } from './record.ts'

/** What is wrong with an export, and in which of its lines, counted from 1. */
export type ChainFault =
  /** More bytes than a record may have. The link of the line after it cannot be checked. */
  | { readonly kind: 'line-oversized'; readonly line: number }
  | { readonly kind: 'line-unreadable'; readonly line: number; readonly failure: Failure }
  /** The first line follows a record that is not here, and nobody said which. */
  | { readonly kind: 'beginning-missing'; readonly line: number; readonly previous: Sha256 }
  /** `expected` is the digest of the line before; `actual` undefined: this record says that it is the first. */
  | { readonly kind: 'link-broken'; readonly line: number; readonly expected: Sha256 | undefined; readonly actual: Sha256 | undefined }
  | { readonly kind: 'verdict-missing'; readonly line: number; readonly sha256: Sha256 }
  | { readonly kind: 'refused-yet-kept'; readonly line: number; readonly sha256: Sha256 }
  /** `foundInLine`: where the digest stands that the newest line should have. Undefined `actual`: there is no line. */
  | {
      readonly kind: 'head-other'
      readonly line: number
      readonly expected: Sha256
      readonly actual: Sha256 | undefined
      readonly foundInLine: number | undefined
    }

/** What a reader should know, and what proves nothing: the clock of a machine is its user's. */
export type ChainRemark =
  | { readonly kind: 'clock-went-back'; readonly line: number; readonly seconds: number }
  | { readonly kind: 'ends-before-start'; readonly line: number; readonly seconds: number }
  /** Read as a record, but not in the bytes that one is written in: spaces, other order, unknown members, secrets. */
  | { readonly kind: 'form-other'; readonly line: number }

export interface LineFindings {
  /** What the line holds; undefined where it cannot be read as a record. */
  readonly record: AuditRecord | undefined
  readonly faults: readonly ChainFault[]
  readonly remarks: readonly ChainRemark[]
}

export interface ChainSummary {
  /** Lines that read as a record. */
  readonly records: number
  readonly outcomes: Readonly<Record<AuditRecord['outcome']['kind'], number>>
  /** SHA-256 of the newest line: what the next record names, and what to note elsewhere. */
  readonly head: Sha256 | undefined
  readonly faults: readonly ChainFault[]
}

export interface ChainExpectation {
  /** Digest of the record before the first line, for a chain that was cut on purpose. */
  readonly after?: Sha256 | undefined
  /** Digest of the newest line, from a place that whoever holds the file cannot write to. */
  readonly head?: Sha256 | undefined
}

/** Checks an export line by line, remembering no more than the last one. */
export interface ChainCheck {
  /**
   * @param line its number in the file, rising, and its bytes without the line end; undefined bytes for one that is longer than a record
   *   may be
   */
  add(line: { readonly number: number; readonly bytes: Uint8Array | undefined }): LineFindings
  /** What only shows at the end. Call it once, after the last line. */
  end(): ChainSummary
}

/** Clocks are set and corrected; tabs that wait for each other write in the order in which they end. */
const CLOCK_SLACK_SECONDS = 3600

/**
 * Every line has to be a record that adds up and that names the digest of the line before it. Of each digest that was served
 * a bundle has to have said that it may be; of each that was refused nothing may be kept.
 * Without a `head` from elsewhere this shows accidents and clumsy hands only: whoever can rewrite the whole file can
 * compute all digests anew.
 */
export function createChainCheck(expectation: ChainExpectation): ChainCheck {
  const state: ChainState = { newestLine: 0, last: { kind: 'start', after: expectation.after }, newestEndSeconds: -Infinity }
  const outcomes = { delivered: 0, refused: 0, failed: 0, cancelled: 0 }
  let foundInLine: number | undefined
  return {
    add({ number: at, bytes }) {
      state.newestLine = at
      if (bytes === undefined) {
        state.last = { kind: 'unknown' }
        return { record: undefined, faults: [{ kind: 'line-oversized', line: at }], remarks: [] }
      }
      const sha256 = sha256Of(bytes)
      if (sha256 === expectation.head) foundInLine = at
      const record = readRecord(bytes)
      const { last } = state
      state.last = { kind: 'line', sha256 }
      if ('failure' in record)
        return { record: undefined, faults: [{ kind: 'line-unreadable', line: at, failure: record.failure }], remarks: [] }
      outcomes[record.outcome.kind]++
      const faults = [...linkFaults(record, { line: at, last }), ...outcomeFaults(record, at)]
      const remarks = [...timeRemarks(record, { line: at, newestEndSeconds: state.newestEndSeconds }), ...formRemarks(record, bytes, at)]
      state.newestEndSeconds = Math.max(state.newestEndSeconds, record.endedAtSeconds)
      return { record, faults, remarks }
    },
    end() {
      const { newestLine, last } = state
      const head = last.kind === 'line' ? last.sha256 : undefined
      const records = Object.values(outcomes).reduce((sum, count) => sum + count, 0)
      const { head: expected } = expectation
      const faults: readonly ChainFault[] =
        expected === undefined || expected === head ? [] : [{ kind: 'head-other', line: newestLine, expected, actual: head, foundInLine }]
      return { records, outcomes, head, faults }
    },
  }
}

type Last =
  | { readonly kind: 'start'; readonly after: Sha256 | undefined }
  | { readonly kind: 'line'; readonly sha256: Sha256 }
  | { readonly kind: 'unknown' }

interface ChainState {
  newestLine: number
  last: Last
  newestEndSeconds: number
}

function readRecord(line: Uint8Array): AuditRecord | { readonly failure: Failure } {
  try {
    return parseAuditRecord(line)
  } catch (error) {
    const failure = failureOf(error)
    if (failure === undefined) throw error
    return { failure }
  }
}

function linkFaults({ previous }: AuditRecord, { line, last }: { readonly line: number; readonly last: Last }): readonly ChainFault[] {
  if (last.kind === 'unknown') return []
  const expected = last.kind === 'line' ? last.sha256 : last.after
  if (previous === expected) return []
  if (last.kind === 'start' && expected === undefined && previous !== undefined) return [{ kind: 'beginning-missing', line, previous }]
  return [{ kind: 'link-broken', line, expected, actual: previous }]
}

function outcomeFaults({ outcome, artifact, verdicts, sources }: AuditRecord, line: number): readonly ChainFault[] {
  const { sha256 } = artifact
  if (outcome.kind === 'delivered' && !verdicts.some((one) => 'verdict' in one)) return [{ kind: 'verdict-missing', line, sha256 }]
  const isKept = sources.some((source) => source.pieces.length > 0)
  return outcome.kind === 'refused' && isKept ? [{ kind: 'refused-yet-kept', line, sha256 }] : []
}

function timeRemarks(
  { startedAtSeconds, endedAtSeconds }: AuditRecord,
  { line, newestEndSeconds }: { readonly line: number; readonly newestEndSeconds: number },
): readonly ChainRemark[] {
  if (endedAtSeconds < startedAtSeconds) return [{ kind: 'ends-before-start', line, seconds: startedAtSeconds - endedAtSeconds }]
  const seconds = newestEndSeconds - endedAtSeconds
  return seconds > CLOCK_SLACK_SECONDS ? [{ kind: 'clock-went-back', line, seconds }] : []
}

function formRemarks(record: AuditRecord, bytes: Uint8Array, line: number): readonly ChainRemark[] {
  const written = encodeAuditRecord(record)
  const isSame = written.length === bytes.length && written.every((byte, at) => byte === bytes[at])
  return isSame ? [] : [{ kind: 'form-other', line }]
}
