import type { Command } from 'commander'
import type { ChainExpectation } from '../../core/audit/verify-chain.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import { checkAuditFile, type AuditFindings } from '../../node/audit/check-audit-file.ts'
import { describeFaults, faultsToJson, more, tellRemark } from '../audit-words.ts'
import { EXIT, EXIT_HELP } from '../exit-codes.ts'
import { Concluded, type Terminal } from '../terminal.ts'
import { parseDigest } from '../values.ts'

interface Flags extends ChainExpectation {
  readonly json?: boolean
}

export function addAudit(program: Command, terminal: Terminal): void {
  const audit = program.command('audit').description('look into the audit records that a browser exported')
  audit
    .command('verify')
    .description('check that the records of an export are one unbroken chain, and that whatever was served had a verdict')
    .argument('<file>', 'JSON Lines, oldest record first; - for what is piped in')
    .option('--head <digest>', 'the SHA-256 that the newest record has to have, noted where the file is not', parseDigest)
    .option('--after <digest>', 'the SHA-256 of the record before the first one, for a file that is not the whole chain', parseDigest)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `\nWithout --head this proves nothing against whoever can rewrite the whole file.\n\nExample:\n  sealift audit verify sealift-audit.jsonl --head "$(cat noted-head)"\n  tail -n 100 sealift-audit.jsonl | sealift audit verify - --after DIGEST\n${EXIT_HELP}`,
    )
    .action(async (file: string, flags: Flags) => {
      const input = file === '-' ? terminal.in : undefined
      const findings = await checkAuditFile({ file, input, expectation: flags }, () => undefined, terminal.signal)
      terminal.out(
        flags.json === true ? `${JSON.stringify(toJson(findings, flags.head))}\n` : `${describe(findings, flags.head).join('\n')}\n`,
      )
      if (findings.faultCount > 0) throw new Concluded(EXIT.refused)
    })
}

function describe(findings: AuditFindings, head: Sha256 | undefined): readonly string[] {
  const { file, summary, faultCount, remarks, remarkCount } = findings
  const noted = remarks.map((remark) => `line ${remark.line}: remark: ${tellRemark(remark)}`)
  const counts = Object.entries(summary.outcomes).map(([kind, count]) => `${count} ${kind}`)
  const verdict = faultCount === 0 ? 'verified' : 'refused '
  return [
    ...describeFaults(findings),
    ...noted,
    ...more(remarkCount - remarks.length, 'remarks'),
    `${verdict}   ${file}: ${faultCount} faults in ${summary.records} records (${counts.join(', ')})`,
    `head       ${summary.head ?? 'none'}`,
    ...(faultCount > 0 ? [] : [anchorage(head)]),
  ]
}

function anchorage(head: Sha256 | undefined): string {
  return head === undefined
    ? 'anchor     none: whoever can rewrite the whole file can compute all of this anew. Note the head where they cannot write, and give it with --head.'
    : 'anchor     the newest record is the one that was noted'
}

function toJson(findings: AuditFindings, head: Sha256 | undefined): object {
  const { file, summary, faultCount, remarks, remarkCount } = findings
  return {
    ok: faultCount === 0,
    ...(faultCount === 0 ? {} : { exitCode: EXIT.refused }),
    file,
    records: summary.records,
    outcomes: summary.outcomes,
    head: summary.head ?? null,
    isAnchored: head !== undefined && faultCount === 0,
    ...faultsToJson(findings),
    remarkCount,
    remarks: remarks.map((remark) => ({ ...remark, message: tellRemark(remark) })),
  }
}
