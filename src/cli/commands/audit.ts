import { createReadStream } from 'node:fs'
import { addAbortSignal, type Readable } from 'node:stream'
import type { Command } from 'commander'
import { AUDIT_LIMITS } from '../../core/audit/audit-limits.ts'
import {
  createChainCheck,
  type ChainExpectation,
  type ChainFault,
  type ChainRemark,
  type ChainSummary,
} from '../../core/audit/verify-chain.ts'
import { DeliveryError } from '../../core/errors.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import { cannotRead } from '../../node/input-file.ts'
import { readLines } from '../../node/read-lines.ts'
import { tellFault, tellRemark } from '../audit-words.ts'
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
      const findings = await judge({ file, expectation: flags }, terminal)
      terminal.out(flags.json === true ? `${JSON.stringify(toJson(findings))}\n` : `${describe(findings).join('\n')}\n`)
      if (findings.faultCount > 0) throw new Concluded(EXIT.refused)
    })
}

/** Told one by one; a file in which everything is wrong needs no longer list. */
const MOST_TOLD = 100

interface Findings {
  readonly file: string
  readonly head: Sha256 | undefined
  readonly summary: ChainSummary
  readonly faults: readonly ChainFault[]
  readonly faultCount: number
  readonly remarks: readonly ChainRemark[]
  readonly remarkCount: number
}

async function judge(question: { readonly file: string; readonly expectation: ChainExpectation }, terminal: Terminal): Promise<Findings> {
  const { file, expectation } = question
  const check = createChainCheck(expectation)
  const faults = createList<ChainFault>()
  const remarks = createList<ChainRemark>()
  for await (const line of linesOf(file, terminal)) {
    const found = check.add(line)
    found.faults.forEach(faults.add)
    found.remarks.forEach(remarks.add)
  }
  const summary = check.end()
  summary.faults.forEach(faults.add)
  // A wrong file, rather than a tampered one; unless a head says that there has to be something.
  if (summary.records === 0 && expectation.head === undefined)
    throw new DeliveryError({ code: 'input-invalid', path: file, detail: 'holds no audit record' })
  const { head } = expectation
  return { file, head, summary, faults: faults.first, faultCount: faults.count, remarks: remarks.first, remarkCount: remarks.count }
}

async function* linesOf(file: string, terminal: Terminal): ReturnType<typeof readLines> {
  const stream: Readable = addAbortSignal(terminal.signal, file === '-' ? terminal.in : createReadStream(file))
  try {
    yield* readLines(stream, AUDIT_LIMITS.recordBytes, terminal.signal)
  } catch (error) {
    terminal.signal.throwIfAborted()
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

function describe({ file, head, summary, faults, faultCount, remarks, remarkCount }: Findings): readonly string[] {
  const { records, outcomes } = summary
  const told = faults.flatMap((fault) => {
    const { message, nextStep } = tellFault(fault, file)
    return [`line ${fault.line}: ${message}`, `  ${nextStep}`]
  })
  const noted = remarks.map((remark) => `line ${remark.line}: remark: ${tellRemark(remark)}`)
  const counts = Object.entries(outcomes).map(([kind, count]) => `${count} ${kind}`)
  const verdict = faultCount === 0 ? 'verified' : 'refused '
  return [
    ...told,
    ...more(faultCount - faults.length, 'faults'),
    ...noted,
    ...more(remarkCount - remarks.length, 'remarks'),
    `${verdict}   ${file}: ${faultCount} faults in ${records} records (${counts.join(', ')})`,
    `head       ${summary.head ?? 'none'}`,
    ...(faultCount > 0 ? [] : [anchorage(head)]),
  ]
}

function more(count: number, what: string): readonly string[] {
  return count === 0 ? [] : [`and ${count} more ${what}`]
}

function anchorage(head: Sha256 | undefined): string {
  return head === undefined
    ? 'anchor     none: whoever can rewrite the whole file can compute all of this anew. Note the head where they cannot write, and give it with --head.'
    : 'anchor     the newest record is the one that was noted'
}

function toJson({ file, head, summary, faults, faultCount, remarks, remarkCount }: Findings): object {
  return {
    ok: faultCount === 0,
    ...(faultCount === 0 ? {} : { exitCode: EXIT.refused }),
    file,
    records: summary.records,
    outcomes: summary.outcomes,
    head: summary.head ?? null,
    isAnchored: head !== undefined && faultCount === 0,
    faultCount,
    faults: faults.map((fault) => ({ ...fault, ...tellFault(fault, file) })),
    remarkCount,
    remarks: remarks.map((remark) => ({ ...remark, message: tellRemark(remark) })),
  }
}
