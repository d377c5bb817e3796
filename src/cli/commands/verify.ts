import type { Command } from 'commander'
import { DeliveryError } from '../../core/errors.ts'
import type { SignatureVerdict } from '../../core/verify/identity-policy.ts'
import { verifyFile, type VerifyReport } from '../../node/verify/verify-file.ts'
import { EXIT_HELP } from '../exit-codes.ts'
import { report, type Terminal } from '../terminal.ts'
import { addTrustOptions, readTrust, type TrustFlags } from '../trust-options.ts'
import { collect } from '../values.ts'

interface Flags extends TrustFlags {
  readonly config?: string
  readonly site?: readonly string[]
  readonly bundle?: readonly string[]
  readonly json?: boolean
}

export function addVerify(program: Command, terminal: Terminal): void {
  const command = program
    .command('verify')
    .description('judge a file as a page would: digest, signed catalogue, signatures, policy')
    .argument('<file>', 'the file')
    .option('--config <file-or-url>', "the portal's sealift.json: whom to trust, and where the catalogue is")
    .option('--site <dir-or-url>', 'where the published layout is, instead of the origins in --config; repeat for several', collect)
    .option('--bundle <file>', 'a Sigstore bundle over the file, instead of a catalogue; repeat for several', collect)
    .option('--json', 'print one JSON object')
  addTrustOptions(command)
    .addHelpText(
      'after',
      `\nExample:\n  sealift verify agent-1.2.3-linux-amd64.tar.gz --config https://portal.example/sealift.json\n  sealift verify agent.tgz --bundle agent.tgz.sigstore.json --public-key signing-key.pub\n${EXIT_HELP}`,
    )
    .action(async (file: string, flags: Flags) => {
      const trusted = await readTrust(flags, flags.site, terminal.signal)
      if (trusted === undefined) {
        throw new DeliveryError({
          code: 'policy-missing',
          detail: 'give --config, --policy, --identity with --issuer and --trusted-root, or --public-key',
        })
      }
      const { trust, config, denied, minimumVersion } = trusted
      const known = config === undefined ? [] : [...config.origins, ...config.gateways].map(({ url }) => url)
      const sites = flags.bundle === undefined ? (flags.site ?? known) : []
      const result = await verifyFile(
        {
          file,
          trust,
          sites,
          bundlePaths: flags.bundle,
          denied,
          repository: config?.repository,
          minimumVersion,
          maxGraceSeconds: config?.maxGraceSeconds,
        },
        terminal.signal,
      )
      report(terminal, flags.json === true, { lines: describe(file, result), json: toJson(file, result) })
    })
}

function describe(file: string, { file: blob, listed, verdicts }: VerifyReport): readonly string[] {
  const lines = [`verified   ${file}`, `sha256     ${blob.sha256} (${blob.sizeBytes} bytes)`]
  if (listed !== undefined) {
    const { entry, found } = listed
    const { catalogue } = found
    const aged = found.freshness === 'stale' ? ', past its end: within the grace that the publisher allows' : ''
    lines.push(
      `published  ${[entry.name, entry.version, entry.platform].filter((word) => word !== undefined).join(' ')}`,
      `catalogue  ${catalogue.repository} version ${catalogue.version} (${isoTime(catalogue.version)}) from ${found.site.place}${aged}`,
      `           signed by ${signerOf(found.verdict)}`,
    )
  }
  return [...lines, ...verdicts.flatMap(({ verdict }) => describeVerdict(verdict))]
}

/** What a bundle says of the artifact, in lines. */
export function describeVerdict(verdict: SignatureVerdict): readonly string[] {
  const when = verdict.signedAtSeconds === undefined ? '' : ` at ${isoTime(verdict.signedAtSeconds)}`
  const what = verdict.form === 'message' ? 'signed by ' : `attested by`
  const built =
    verdict.sourceRepository === undefined
      ? []
      : [`           built from ${verdict.sourceRepository} at ${verdict.sourceRef ?? 'an unnamed ref'}`]
  const predicate = verdict.predicateType === undefined ? [] : [`           as ${verdict.predicateType}`]
  const builder = verdict.provenance === undefined ? [] : [`           by the builder ${verdict.provenance.builderId}`]
  return [`${what} ${signerOf(verdict)}${when}`, ...predicate, ...builder, ...built]
}

function signerOf({ signer }: SignatureVerdict): string {
  return signer.kind === 'key' ? 'the trusted key' : `${signer.identity} (${signer.issuer})`
}

function toJson(file: string, { file: blob, listed, verdicts }: VerifyReport): object {
  return {
    file,
    sha256: blob.sha256,
    sizeBytes: blob.sizeBytes,
    artifact:
      listed === undefined ? null : { name: listed.entry.name, version: listed.entry.version, platform: listed.entry.platform ?? null },
    catalogue:
      listed === undefined
        ? null
        : {
            repository: listed.found.catalogue.repository,
            version: listed.found.catalogue.version,
            place: listed.found.site.place,
            freshness: listed.found.freshness,
            verdict: listed.found.verdict,
          },
    verdicts,
  }
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
