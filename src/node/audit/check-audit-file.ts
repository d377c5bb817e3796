import { createReadStream } from 'node:fs'
import { addAbortSignal, type Readable } from 'node:stream'
import { AUDIT_LIMITS } from '../../core/audit/audit-limits.ts'
import type { AuditRecord } from '../../core/audit/record.ts'
import {
  createChainCheck,
  type ChainExpectation,
  type ChainFault,
  type ChainRemark,
  type ChainSummary,
} from '../../core/audit/verify-chain.ts'
import { DeliveryError } from '../../core/errors.ts'
import { cannotRead } from '../input-file.ts'
import { readLines } from '../read-lines.ts'

/** An export of audit records: JSON Lines, oldest record first. */
export interface AuditFile {
  /** Path of a file, or what `input` is called in errors. */
  readonly file: string
  /** Read instead of a file. */
  readonly input?: Readable | undefined
  /** Default: the whole chain, with any head. */
  readonly expectation?: ChainExpectation | undefined
}

export interface AuditFindings {
  readonly file: string
  readonly summary: ChainSummary
  /** The first ones; `faultCount` says how many there are. */
  readonly faults: readonly ChainFault[]
  readonly faultCount: number
  readonly remarks: readonly ChainRemark[]
  readonly remarkCount: number
}

/** Told one by one; a file in which everything is wrong needs no longer list. */
const MOST_TOLD = 100

/**
 * Reads an export of any length a line at a time, and holds it to `createChainCheck`.
 * @param onRecord is given each record until the first fault. What it was given counts for nothing when the findings have a fault.
 * @throws {DeliveryError} `input-invalid` when it cannot be read, or holds no record and no head says that it should
 * @example
 * const tally = createAuditTally()
 * const { faultCount, faults } = await checkAuditFile({ file: 'sealift-audit.jsonl' }, tally.add, AbortSignal.timeout(60_000))
 * console.log(faultCount === 0 ? tally.report() : faults)
 */
export async function checkAuditFile(
  { file, input, expectation = {} }: AuditFile,
  onRecord: (record: AuditRecord) => void,
  signal: AbortSignal,
): Promise<AuditFindings> {
  const check = createChainCheck(expectation)
  const faults = createList<ChainFault>()
  const remarks = createList<ChainRemark>()
  for await (const line of linesOf(file, input ?? createReadStream(file), signal)) {
    const found = check.add(line)
    found.faults.forEach(faults.add)
    found.remarks.forEach(remarks.add)
    if (found.record !== undefined && faults.count === 0) onRecord(found.record)
  }
  const summary = check.end()
  summary.faults.forEach(faults.add)
  // A wrong file, rather than a tampered one; unless a head says that there has to be something.
  if (summary.records === 0 && expectation.head === undefined)
    throw new DeliveryError({ code: 'input-invalid', path: file, detail: 'holds no audit record' })
  return { file, summary, faults: faults.first, faultCount: faults.count, remarks: remarks.first, remarkCount: remarks.count }
}

async function* linesOf(file: string, input: Readable, signal: AbortSignal): ReturnType<typeof readLines> {
  try {
    yield* readLines(addAbortSignal(signal, input), AUDIT_LIMITS.recordBytes, signal)
  } catch (error) {
    signal.throwIfAborted()
    throw cannotRead(file, error)
  }
}

/** Remembers the first ones, and counts all. */
function createList<T>() {
  const first: T[] = []
  let count = 0
  return {
    first,
    get count() {
      return count
    },
    add: (item: T): void => {
      if (++count <= MOST_TOLD) first.push(item)
    },
  }
}
