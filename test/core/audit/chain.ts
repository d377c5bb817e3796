import { encodeAuditRecord } from '../../../src/core/audit/encode-audit-record.ts'
import type { AuditRecord } from '../../../src/core/audit/record.ts'
import { createChainCheck, type ChainExpectation, type LineFindings } from '../../../src/core/audit/verify-chain.ts'
import { sha256Of } from '../../../src/core/verify/digest.ts'
import { utf8 } from '../manifest/samples.ts'
import { sampleRecord } from './samples.ts'

/** Records as a browser chains them, one line each. */
export function chainOf(...changes: readonly Partial<AuditRecord>[]): readonly string[] {
  const lines: string[] = []
  for (const [at, change] of changes.entries()) {
    const before = lines.at(-1)
    const previous = before === undefined ? undefined : sha256Of(utf8(before))
    lines.push(new TextDecoder().decode(encodeAuditRecord(sampleRecord({ id: `record-${at + 1}`, previous, ...change }))))
  }
  return lines
}

/** Everything that there is to say of an export. */
export function checkChain(lines: readonly string[], expectation: ChainExpectation = {}): Pick<LineFindings, 'faults' | 'remarks'> {
  const check = createChainCheck(expectation)
  const found = lines.map((line, at) => check.add({ number: at + 1, bytes: utf8(line) }))
  const summary = check.end()
  return {
    faults: [...found.flatMap(({ faults }) => faults), ...summary.faults],
    remarks: found.flatMap(({ remarks }) => remarks),
  }
}
