import type { Command } from 'commander'
import type { Finding, Severity } from '../../node/lint/finding.ts'
import { lintSite } from '../../node/lint/lint-site.ts'
import { readConfig } from '../../node/verify/read-config.ts'
import { EXIT, EXIT_HELP } from '../exit-codes.ts'
import { Concluded, type Terminal } from '../terminal.ts'
import { readTrust } from '../trust-options.ts'
import { parseDuration } from '../values.ts'

interface Flags {
  readonly config?: string
  readonly outage?: number
  readonly strict?: boolean
  readonly json?: boolean
}

const HELP = `
It reads what is written down and asks nobody: two names that lead to one machine look like two to it.

Example:
  sealift lint ./site --config public/sealift.json
  sealift lint https://cdn.example/ --config https://portal.example/sealift.json --outage 14d --strict
`

export function addLint(program: Command, terminal: Terminal): void {
  program
    .command('lint')
    .description('look for single points of failure in a configuration and a catalogue')
    .argument('[site]', 'folder or URL of the published layout')
    .option('--config <file-or-url>', "the portal's sealift.json")
    .option('--outage <duration>', 'how long an outage has to be outlived; default 7d', parseDuration)
    .option('--strict', 'warnings end with 8 too, as errors do')
    .option('--json', 'print one JSON object')
    .addHelpText('after', `${HELP}${EXIT_HELP}`)
    .action(async (site: string | undefined, flags: Flags) => {
      const findings = await lintSite(
        { ...(await readSubject(site, flags, terminal.signal)), site, outageSeconds: flags.outage },
        terminal.signal,
      )
      const count = countOf(findings)
      const isWanting = count.error > 0 || (flags.strict === true && count.warning > 0)
      const exitCode = isWanting ? EXIT.wanting : EXIT.ok
      terminal.out(
        flags.json === true
          ? `${JSON.stringify({ ok: !isWanting, ...(isWanting ? { exitCode } : {}), count, findings })}\n`
          : `${describe(findings, count).join('\n')}\n`,
      )
      if (isWanting) throw new Concluded(exitCode)
    })
}

/** A configuration alone is read, and nobody else is asked for anything. */
async function readSubject(site: string | undefined, { config }: Flags, signal: AbortSignal) {
  if (config === undefined) return {}
  if (site === undefined) return { config: await readConfig(config, signal) }
  const trusted = await readTrust({ config }, [site], signal)
  return { config: trusted?.config, trust: trusted?.trust }
}

type Count = Readonly<Record<Severity, number>>

function countOf(findings: readonly Finding[]): Count {
  const count = (severity: Severity) => findings.filter((one) => one.severity === severity).length
  return { error: count('error'), warning: count('warning'), advice: count('advice') }
}

function describe(findings: readonly Finding[], { error, warning, advice }: Count): readonly string[] {
  const told = findings.flatMap(({ code, severity, message }) => [`${severity.padEnd(9)}  ${code}`, `           ${message}`])
  return [...told, `found      ${error} errors, ${warning} warnings, ${advice} pieces of advice`]
}
