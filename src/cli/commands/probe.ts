import type { Command } from 'commander'
import { createProbeMetrics, type ProbeMetrics } from '../../node/probe/metrics.ts'
import { serveMetrics } from '../../node/metrics-server.ts'
import { createProbe, type Probe } from '../../node/probe/probe.ts'
import type { ProbeRound, ProbeRow } from '../../node/probe/round.ts'
import { sayDuration } from '../../node/probe/say-duration.ts'
import { systemClock } from '../../node/system-clock.ts'
import { EXIT, EXIT_HELP } from '../exit-codes.ts'
import { addProbeOptions, readProbeOptions, type ProbeFlags } from '../probe-options.ts'
import { Concluded, type Terminal } from '../terminal.ts'
import { parseDuration, parseInteger, parsePort } from '../values.ts'
import { writeOutput } from '../write-output.ts'

interface RepeatFlags extends ProbeFlags {
  readonly interval: number
  readonly rounds?: number
  readonly listen?: number
}

const CHECKS = `
Checks of each origin and gateway, those that the verified catalogue names included:
  reachable          answers, and how soon
  catalogue          signed, not expired, as new as the newest of all
  catalogue-headers  kept in caches for a short time only
  blob-headers       kept for a year, without Content-Encoding
  cors               scripts of the portal may read it (with --portal, or a --config on the portal)
  ranges             a part is answered with that part
  blobs              everything published is there, in its size
  challenge          random pieces are what was signed (with --challenge)`

export function addCheck(program: Command, terminal: Terminal): void {
  const command = program.command('check').description('look at every origin and gateway once, as a page does')
  addProbeOptions(command)
    .addHelpText(
      'after',
      `${CHECKS}\n\nExample:\n  sealift check --config https://portal.example/sealift.json\n  sealift check --config sealift.json --site new=https://mirror.example/ --challenge --json\n${EXIT_HELP}`,
    )
    .action(async (flags: ProbeFlags) => {
      const probe = await openProbe(flags, command, terminal)
      const round = await probe.round(terminal.signal)
      const metrics = createProbeMetrics()
      metrics.add(round)
      await writeMetrics(flags, metrics)
      tell(terminal, flags, round)
      if (!round.ok) throw new Concluded(EXIT.wanting)
    })
}

export function addProbe(program: Command, terminal: Terminal): void {
  const command = program.command('probe').description('look at every origin and gateway again and again, and keep metrics')
  addProbeOptions(command)
    .option('--interval <duration>', 'from one round to the next, give or take a tenth', parseDuration, 300)
    .option(
      '--rounds <number>',
      'end after so many, with 8 if a check of any of them failed; default until it is interrupted',
      parseInteger,
    )
    .option('--listen <port>', 'show the metrics on this port of loopback, at /metrics', parsePort)
    .addHelpText(
      'after',
      `${CHECKS}\n\nRuns until it is interrupted, and then ends with 0.\n\nExample:\n  sealift probe --config https://portal.example/sealift.json --challenge --prometheus /var/lib/node_exporter/sealift.prom\n  sealift probe --config sealift.json --portal https://portal.example --interval 5m --listen 9464 --json\n${EXIT_HELP}`,
    )
    .action(async (flags: RepeatFlags) => {
      const probe = await openProbe(flags, command, terminal)
      const metrics = createProbeMetrics()
      const server = flags.listen === undefined ? undefined : await serveMetrics(flags.listen, () => metrics.render())
      try {
        if (server !== undefined) terminal.err(`metrics on ${server.url}\n`)
        const ok = await repeat({ probe, metrics, flags }, terminal)
        if (!ok) throw new Concluded(EXIT.wanting)
      } catch (error) {
        // To be interrupted is how it ends.
        if (!(terminal.signal.aborted && error === terminal.signal.reason)) throw error
      } finally {
        await server?.close()
      }
    })
}

/** A probe that shows how far it is, where somebody looks on. */
async function openProbe(flags: ProbeFlags, command: Command, terminal: Terminal): Promise<Probe> {
  let rows = 0
  const onRow = ({ origin, check }: ProbeRow): void =>
    terminal.progress?.(`${++rows} checks so far, last ${check} at ${origin}`.slice(0, 79))
  const probe = createProbe({ ...(await readProbeOptions(flags, command, terminal.signal)), onRow })
  const end = (): void => {
    rows = 0
    terminal.progress?.('')
  }
  return { round: (signal) => probe.round(signal).finally(end) }
}

/** Whether all checks of all rounds passed. */
async function repeat(
  { probe, metrics, flags }: { readonly probe: Probe; readonly metrics: ProbeMetrics; readonly flags: RepeatFlags },
  terminal: Terminal,
): Promise<boolean> {
  const { interval, rounds = Number.POSITIVE_INFINITY } = flags
  let ok = true
  for (let number = 1; ; number++) {
    const round = await probe.round(terminal.signal)
    ok &&= round.ok
    metrics.add(round)
    tell(terminal, flags, round)
    await writeMetrics(flags, metrics).catch((error: unknown) => {
      // Later on a full disk must not end the watch: the time of the last round stands in the metrics.
      if (number === 1) throw error
      terminal.err(`sealift: ${error instanceof Error ? error.message : String(error)}\n`)
    })
    if (number >= rounds) return ok
    // Probes that were started together do not stay together.
    await systemClock.sleep(Math.max(1, interval) * 1000 * (0.9 + Math.random() * 0.2), terminal.signal)
  }
}

async function writeMetrics({ prometheus }: ProbeFlags, metrics: ProbeMetrics): Promise<void> {
  const text = metrics.render()
  if (prometheus !== undefined && text !== undefined) await writeOutput(prometheus, text)
}

function tell(terminal: Terminal, { json, challenge }: ProbeFlags, round: ProbeRound): void {
  if (json === true) terminal.out(`${JSON.stringify(toJson(round, challenge === true))}\n`)
  else terminal.out(`${describe(round).join('\n')}\n`)
}

function toJson({ ok, ...round }: ProbeRound, isChallenged: boolean): object {
  return { ok, ...(ok ? {} : { exitCode: EXIT.wanting }), isChallenged, ...round, catalogue: round.catalogue ?? null }
}

function describe({ atSeconds, catalogue, origins, rows }: ProbeRound): readonly string[] {
  const width = Math.max(...origins.map(({ id }) => id.length), 6)
  const lines = rows.map(
    ({ origin, check, ok, detail, ms }) =>
      `${ok ? 'ok    ' : 'FAILED'}  ${origin.padEnd(width)}  ${check.padEnd(17)}  ${detail}  (${ms} ms)`,
  )
  const failed = rows.filter(({ ok }) => !ok)
  const places = new Set(failed.map(({ origin }) => origin)).size
  const named =
    catalogue === undefined
      ? 'no catalogue that can be believed'
      : `${catalogue.repository} version ${catalogue.version}, ${catalogue.artifacts} artifacts, ${sayDuration(catalogue.expiresAtSeconds - atSeconds)} left`
  const verdict = failed.length === 0 ? `all ${rows.length} checks passed` : `${failed.length} of ${rows.length} checks failed`
  return [
    ...lines,
    `${new Date(atSeconds * 1000).toISOString()}  ${verdict}, at ${failed.length === 0 ? origins.length : places} of ${origins.length} places; ${named}`,
  ]
}
