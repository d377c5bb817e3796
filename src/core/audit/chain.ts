import type { AuditRecord } from './record.ts'
import { auditRecordDigest } from './encode-audit-record.ts'

/**
 * Index of the first record that does not name the one before it, or undefined when the chain holds.
 * A chain shows that something was altered or left out only up to a head that is kept elsewhere: whoever can rewrite all
 * records can rewrite all digests.
 *
 * @param records oldest first; the first may follow records that are not given
 */
export function findBrokenLink(records: readonly AuditRecord[]): number | undefined {
  let previous = records[0]?.previous
  for (const [i, record] of records.entries()) {
    if (record.previous !== previous) return i
    previous = auditRecordDigest(record)
  }
  return undefined
}
