import type { Command } from 'commander'
import { DeliveryError, describeFailure, failureOf, type Failure } from '../../core/errors.ts'
import type { SourceTally } from '../../core/audit/record.ts'
import type { ArtifactRequest } from '../../core/wire/delivery-event.ts'
import type { GetReport } from '../../node/get/get-artifact.ts'
import { EXIT_HELP } from '../exit-codes.ts'
import { createGetProgress } from '../get-progress.ts'
import { stateFolder } from '../state-folder.ts'
import { report, type Terminal } from '../terminal.ts'
import { collectNamedUrl, parseWanted, thisPlatform, type NamedUrl, type Wanted } from '../values.ts'
import { describeVerdict } from './verify.ts'

interface Flags {
  readonly config: string
  readonly out?: string
  readonly platform: string
  readonly channel?: string
  readonly origin?: readonly NamedUrl[]
  readonly gateway?: readonly NamedUrl[]
  readonly audit?: string
  readonly state?: string
  readonly force?: boolean
  readonly quiet?: boolean
  readonly json?: boolean
}

const HELP = `
Asks every origin and gateway that sealift.json, the signed catalogue, --origin and --gateway name, as a page does: whoever is silent, slow or
wrong is passed over. It does not take part in the mesh of browsers. Pieces lie beside the file as .NAME.sealift-part-DIGEST until every one
of them, the whole and its signatures are verified; only then there is a file of that name. Stopped or killed, the same command goes on where it was.

Example:
  sealift get agent --config https://portal.example/sealift.json
  sealift get agent@1.2.3 --config sealift.json --gateway http://gateway.lan/ --out /srv/images/ --audit sealift-audit.jsonl
  sealift get sha256:DIGEST --config sealift.json --out agent.tar.gz --json
`

export function addGet(program: Command, terminal: Terminal): void {
  program
    .command('get')
    .description('download a published file without a browser, from whoever has it, and verify all of it')
    .argument('<name>', 'NAME, NAME@VERSION or sha256:DIGEST', parseWanted)
    .requiredOption('--config <file-or-url>', "the portal's sealift.json; of a URL the last good answer is kept for an outage")
    .option('--out <file-or-dir>', 'where to; default this folder, under the name that the publisher gave it')
    .option('--platform <os/arch>', 'for this platform', thisPlatform())
    .option('--channel <name>', 'the newest of this channel; default stable')
    .option('--origin <url>', '[NAME=]URL of one more place that serves the layout; repeat for several', collectNamedUrl)
    .option('--gateway <url>', '[NAME=]URL of a gateway in the local network; repeat for several', collectNamedUrl)
    .option('--audit <file>', 'add the record of this download to a file, for `sealift audit verify` and `sealift report`')
    .option('--state <dir>', 'where the newest catalogue is kept, so that no older one passes; default below your home folder')
    .option('--force', 'replace a file of that name which has other content')
    .option('--quiet', 'say nothing but what went wrong')
    .option('--json', 'print one JSON object')
    .addHelpText('after', `${HELP}${EXIT_HELP}`)
    .action(async (wanted: Wanted, flags: Flags) => {
      refuseStream(flags.out)
      const progress = flags.quiet === true ? undefined : terminal.progress?.bind(terminal)
      const line = createGetProgress(() => performance.now())
      const startedMs = performance.now()
      // Loaded here: no other command needs the engine.
      const { getArtifact } = await import('../../node/get/get-artifact.ts')
      try {
        const result = await getArtifact(
          {
            request: toRequest(wanted, flags),
            config: flags.config,
            added: { origins: flags.origin ?? [], gateways: flags.gateway ?? [] },
            out: flags.out,
            force: flags.force === true,
            stateDir: flags.state ?? stateFolder(terminal.env),
            audit: flags.audit,
            onEvent: (event) => {
              const text = progress && line.add(event)
              if (text !== undefined) progress?.(text)
            },
          },
          terminal.signal,
        ).finally(() => progress?.(''))
        const seconds = (performance.now() - startedMs) / 1000
        if (flags.quiet === true && flags.json !== true) return
        report(terminal, flags.json === true, { lines: describe(result, seconds), json: toJson(result, seconds) })
      } catch (error) {
        if (flags.json !== true) tellMore(terminal, error)
        throw error
      }
    })
}

function refuseStream(out: string | undefined): void {
  if (out !== '-') return
  const detail = 'is not possible: whether a file may be used is known when the last of its bytes is there, and a pipe cannot be taken back'
  throw new DeliveryError({ code: 'input-invalid', path: '--out -', detail })
}

function toRequest(wanted: Wanted, { platform, channel }: Flags): ArtifactRequest {
  return wanted.kind === 'digest' ? wanted : { ...wanted, platform, channel }
}

/** What a person wants to know of a failure besides its code: who was asked, and that nothing is lost. */
function tellMore(terminal: Terminal, error: unknown): void {
  if (terminal.signal.aborted) terminal.err('sealift: what is verified is kept; run the same command again to go on\n')
  const failure = failureOf(error)
  if (failure === undefined || !('reasons' in failure)) return
  for (const line of new Set(failure.reasons.map(describeReason))) terminal.err(`tried      ${line}\n`)
}

function describeReason(reason: Failure): string {
  return describeFailure(reason)
}

function describe({ artifact, file, record, isAlreadyThere, isConfigCopy }: GetReport, seconds: number): readonly string[] {
  const { name, version, platform, sha256, sizeBytes } = artifact
  const { catalogue } = record
  return [
    `verified   ${file}${isAlreadyThere ? ', which was there already' : ''}`,
    `published  ${[name, version, platform].filter((word) => word !== undefined).join(' ')}`,
    `sha256     ${sha256} (${sizeBytes} bytes, ${seconds.toFixed(1)} s)`,
    `catalogue  version ${catalogue.version} from ${catalogue.source}${AGED[catalogue.freshness]}`,
    ...(isConfigCopy ? ['config     the copy of an earlier run: the portal gave no usable answer'] : []),
    ...(isAlreadyThere ? [] : record.sources.map(describeSource)),
    ...record.verdicts.flatMap((opinion) => ('verdict' in opinion ? describeVerdict(opinion.verdict) : [])),
  ]
}

const AGED = {
  fresh: '',
  stale: ', past its end: within the grace that the publisher allows',
  pinned: ', past its end: you have vouched for the digest yourself',
} as const

function describeSource({ source, tier, verifiedBytes, receivedBytes, failures }: SourceTally): string {
  const codes = [...new Set(failures.map(({ code }) => code))]
  const wrong = codes.length === 0 ? '' : ` (${codes.join(', ')})`
  return `from       ${tier} ${source}: ${verifiedBytes} bytes, ${receivedBytes} received now${wrong}`
}

function toJson({ artifact, file, record, isAlreadyThere, isConfigCopy }: GetReport, seconds: number): object {
  const { name, version, platform, sha256, sizeBytes } = artifact
  return {
    name,
    version,
    platform: platform ?? null,
    sha256,
    sizeBytes,
    seconds,
    file,
    isAlreadyThere,
    isConfigCopy,
    catalogue: record.catalogue,
    sources: isAlreadyThere ? [] : record.sources,
    verdicts: record.verdicts,
  }
}
