import type { ChainFault, ChainRemark } from '../core/audit/verify-chain.ts'
import { describeFailure } from '../core/errors.ts'
import type { AuditFindings } from '../node/audit/check-audit-file.ts'

/** What is wrong, and what to do about it. */
export interface Told {
  readonly message: string
  readonly nextStep: string
}

const COMPARE = 'Do not rely on this file. Compare it with an earlier export, and look at the browser that it came from.'
const EXPORT_AGAIN = 'Export the records again, and do not edit the file.'

/** @param file as the command line names it */
export function tellFault(fault: ChainFault, file: string): Told {
  switch (fault.kind) {
    case 'line-oversized':
      return { message: 'longer than a record may be', nextStep: EXPORT_AGAIN }
    case 'line-unreadable':
      return {
        message: `not a record: ${describeFailure(fault.failure)}`,
        nextStep:
          fault.failure.code === 'format-unsupported' ? 'Update sealift: the record is of a newer version.' : `${EXPORT_AGAIN} ${COMPARE}`,
      }
    case 'beginning-missing':
      return {
        message: `follows a record that is not here, ${fault.previous}`,
        nextStep: `If the beginning was cut off on purpose, give its last digest: --after ${fault.previous}`,
      }
    case 'link-broken':
      return {
        message: `names ${fault.actual ?? 'no record'} as the one before it, which is ${fault.expected ?? 'none'}`,
        nextStep: `A record was altered, left out, added or moved here, or the browser lost its records and began anew. ${COMPARE}`,
      }
    case 'verdict-missing':
      return {
        message: `${fault.sha256} was delivered, and no signature says that it may be`,
        nextStep: `No version of Sealift writes that. Do not use the file. ${COMPARE}`,
      }
    case 'refused-yet-kept':
      return {
        message: `${fault.sha256} was refused, and pieces of it are said to be kept`,
        nextStep: `No version of Sealift writes that. ${COMPARE}`,
      }
    case 'head-other':
      return tellHead(fault, file)
  }
}

function tellHead({ expected, actual, foundInLine }: Extract<ChainFault, { kind: 'head-other' }>, file: string): Told {
  if (foundInLine === undefined)
    return {
      message: `the newest record is ${actual ?? 'none'}, and not the head ${expected}, which is nowhere in this file`,
      nextStep: `Records up to that head were altered, or are missing. ${COMPARE}`,
    }
  return {
    message: `the newest record is ${actual ?? 'none'}; the head ${expected} is that of line ${foundInLine}`,
    nextStep: `If the records after it are newer, check up to it, then go on from it: head -n ${foundInLine} ${file} | sealift audit verify - --head ${expected}; tail -n +${foundInLine + 1} ${file} | sealift audit verify - --after ${expected}`,
  }
}

export function tellRemark(remark: ChainRemark): string {
  switch (remark.kind) {
    case 'clock-went-back':
      return `ended ${Math.round(remark.seconds)} s before an earlier record did: the clock of that machine was set back`
    case 'ends-before-start':
      return `ended ${Math.round(remark.seconds)} s before it started`
    case 'form-other':
      return 'not in the bytes that Sealift writes: spaces, order, or members that this version does not know'
  }
}

type Faults = Pick<AuditFindings, 'file' | 'faults' | 'faultCount'>

/** Each with its line and what to do. */
export function describeFaults({ file, faults, faultCount }: Faults): readonly string[] {
  const told = faults.flatMap((fault) => {
    const { message, nextStep } = tellFault(fault, file)
    return [`line ${fault.line}: ${message}`, `  ${nextStep}`]
  })
  return [...told, ...more(faultCount - faults.length, 'faults')]
}

export function faultsToJson({ file, faults, faultCount }: Faults): object {
  return { faultCount, faults: faults.map((fault) => ({ ...fault, ...tellFault(fault, file) })) }
}

/** How many are left that are not told one by one. */
export function more(count: number, what: string): readonly string[] {
  return count === 0 ? [] : [`and ${count} more ${what}`]
}
