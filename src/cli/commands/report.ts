import type { Command } from 'commander'
import type { ChainExpectation } from '../../core/audit/verify-chain.ts'
import { DeliveryError } from '../../core/errors.ts'
import {
  createAuditTally,
  type ArtifactReport,
  type AuditReport,
  type FailureCounts,
  type Miss,
  type SourceReport,
  type TierReport,
} from '../../node/audit/audit-report.ts'
import { checkAuditFile } from '../../node/audit/check-audit-file.ts'
import { describeFaults, faultsToJson } from '../audit-words.ts'
import { EXIT, EXIT_HELP } from '../exit-codes.ts'
import { Concluded, report, type Terminal } from '../terminal.ts'
import { parseDigest } from '../values.ts'

interface Flags extends ChainExpectation {
  readonly json?: boolean
}

const HELP = `
Each file is checked first, as \`sealift audit verify\` does: of a broken chain nothing is added up. The same record in two exports of one
browser counts once. It says what the records say; who never exported is not in it.

Example:
  sealift report sealift-audit.jsonl
  sealift report exports/*.jsonl --json
`

export function addReport(program: Command, terminal: Terminal): void {
  program
    .command('report')
    .description('add up exported audit records: who served what, how often, how fast, and what could not be had')
    .argument('<files...>', 'JSON Lines, oldest record first; - for what is piped in')
    .option('--head <digest>', 'as for `sealift audit verify`, of a single file', parseDigest)
    .option('--after <digest>', 'as for `sealift audit verify`, of a single file', parseDigest)
    .option('--json', 'print one JSON object')
    .addHelpText('after', `${HELP}${EXIT_HELP}`)
    .action(async (files: readonly string[], flags: Flags) => {
      const { head, after, json: isJson = false } = flags
      if (files.length > 1 && (head !== undefined || after !== undefined))
        throw new DeliveryError({ code: 'input-invalid', path: '--head', detail: 'and --after are for a single file' })
      const tally = createAuditTally()
      for (const file of files) {
        const input = file === '-' ? terminal.in : undefined
        const findings = await checkAuditFile({ file, input, expectation: { head, after } }, (record) => tally.add(record), terminal.signal)
        if (findings.faultCount === 0) continue
        const { faultCount } = findings
        const refusal = { ok: false, exitCode: EXIT.refused, file, ...faultsToJson(findings) }
        const lines = [...describeFaults(findings), `refused    ${file}: ${faultCount} faults, so nothing was added up`]
        terminal.out(isJson ? `${JSON.stringify(refusal)}\n` : `${lines.join('\n')}\n`)
        throw new Concluded(EXIT.refused)
      }
      const result = tally.report()
      report(terminal, isJson, { lines: describe(result, files.length), json: toJson(result, files.length) })
    })
}

function describe({ records, repeated, outcomes, tiers, artifacts, misses, ...span }: AuditReport, files: number): readonly string[] {
  const counts = Object.entries(outcomes).map(([kind, count]) => `${count} ${kind}`)
  const when = [span.firstStartedAtSeconds, span.lastEndedAtSeconds].map((seconds) => isoTime(seconds ?? 0))
  const verifiedBytes = tiers.reduce((sum, tier) => sum + tier.verifiedBytes, 0)
  return [
    `records    ${records} in ${files} files, ${when.join(' to ')}: ${counts.join(', ')}`,
    ...(repeated === 0 ? [] : [`           ${repeated} more stand there twice, and count once`]),
    ...tiers.map((tier) => describeTier(tier, verifiedBytes)),
    ...artifacts.flatMap(describeArtifact),
    ...misses.map(describeMiss),
    ...(misses.length === 0 ? ['misses     none'] : []),
  ]
}

function describeTier({ tier, asked, served, verifiedBytes, receivedBytes }: TierReport, ofBytes: number): string {
  const share = ofBytes === 0 ? '' : ` (${percent(verifiedBytes / ofBytes)})`
  const hits = asked === 0 ? 'asked by none' : `served ${served} of ${asked} downloads that asked (${percent(served / asked)})`
  return `${tier.padEnd(9)}  ${verifiedBytes} bytes of delivered files${share}, ${receivedBytes} received; ${hits}`
}

function describeArtifact({ name, version, sha256, outcomes, failures, durations, sources }: ArtifactReport): readonly string[] {
  const counts = Object.entries(outcomes).flatMap(([kind, count]) => (count === 0 ? [] : [`${count} ${kind}`]))
  const took =
    durations === undefined
      ? ''
      : `; p50 ${toSeconds(durations.p50Seconds)}, p95 ${toSeconds(durations.p95Seconds)} of ${durations.count} that were fetched`
  return [
    `artifact   ${name} ${version} (SHA-256 ${sha256}): ${counts.join(', ')}${inBrackets(failures)}${took}`,
    ...sources.map(describeSource),
  ]
}

function describeSource({ tier, source, asked, served, pieces, verifiedBytes, receivedBytes, failures }: SourceReport): string {
  const who = source === undefined ? 'peers' : `${tier} ${source}`
  return `           ${who}: ${pieces} pieces, ${verifiedBytes} bytes, ${receivedBytes} received; served ${served} of ${asked}${inBrackets(failures)}`
}

function describeMiss({ name, version, sha256, failed, failures, missingAt, isDeliveredSince }: Miss): string {
  const facts = [
    ...(failed === 0 ? [] : [`${failed} downloads failed${inBrackets(failures)}`]),
    ...(missingAt.length === 0 ? [] : [`missing at ${missingAt.join(', ')}`]),
    ...(failed > 0 && isDeliveredSince ? ['delivered since'] : []),
  ]
  return `miss       ${name} ${version} (SHA-256 ${sha256}): ${facts.join('; ')}`
}

function inBrackets(failures: FailureCounts): string {
  const counts = Object.entries(failures).map(([code, count]) => `${code} ${count}`)
  return counts.length === 0 ? '' : ` (${counts.join(', ')})`
}

/** One ratio for each tier beside its figures: of what was delivered, and of those who asked. */
function toJson({ tiers, ...rest }: AuditReport, files: number): object {
  const ofBytes = tiers.reduce((sum, tier) => sum + tier.verifiedBytes, 0)
  const ratio = (part: number, whole: number) => (whole === 0 ? null : part / whole)
  return {
    files,
    ...rest,
    firstStartedAtSeconds: rest.firstStartedAtSeconds ?? null,
    lastEndedAtSeconds: rest.lastEndedAtSeconds ?? null,
    tiers: tiers.map((tier) => ({
      ...tier,
      share: ratio(tier.verifiedBytes, ofBytes),
      hitRatio: ratio(tier.served, tier.asked),
    })),
    artifacts: rest.artifacts.map((artifact) => ({
      ...artifact,
      durations: artifact.durations ?? null,
      sources: artifact.sources.map((source) => ({ ...source, source: source.source ?? null })),
    })),
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

function toSeconds(seconds: number): string {
  return `${seconds.toFixed(1)} s`
}

/** A record may hold any number for a time, and a date cannot. */
function isoTime(seconds: number): string {
  return Math.abs(seconds) < LAST_SECOND ? new Date(seconds * 1000).toISOString() : `${seconds} s`
}

const LAST_SECOND = 8_640_000_000_000
