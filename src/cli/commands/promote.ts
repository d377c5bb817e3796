import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { DeliveryError } from '../../core/errors.ts'
import type { Tier } from '../../core/ports.ts'
import type { FinishedDraft } from '../../node/publish/finish-draft.ts'
import { preparePromotion, promote, type PromoteOptions, type Rollout } from '../../node/publish/promote.ts'
import { EXIT_HELP } from '../exit-codes.ts'
import { readSigner, type SignerFlags } from '../signer.ts'
import { report, type Terminal } from '../terminal.ts'
import { addTrustOptions, readTrust, type TrustFlags } from '../trust-options.ts'
import { collectRollout, parseDuration, parseInteger, parseNames, parseTiers } from '../values.ts'

interface Flags extends TrustFlags, SignerFlags {
  readonly first?: readonly string[]
  readonly tiers?: readonly Tier[]
  readonly rollout?: readonly Rollout[]
  readonly rollback?: true | number
  readonly expiresIn?: number
  readonly grace?: number
  readonly config?: string
  readonly prepare?: string
  readonly json?: boolean
}

const EXAMPLES = `
The next catalogue says what the one before said, but for what is named here, under a higher version. No artifact is touched. Push the
folder to its mirrors afterwards.

Examples:
  sealift promote ./site --first eu --key signing-key.pem                      ask the origin eu before the others
  sealift promote ./site --tiers gateway,mesh,cdn --key signing-key.pem        spare the CDN
  sealift promote ./site --rollout agent@1.2.3=100 --key signing-key.pem       offer a version to everybody
  sealift promote ./site --rollback --key signing-key.pem                      what the catalogue before said
  sealift promote ./site --expires-in 30d --grace 14d --key signing-key.pem    a longer life in an outage

Signing with cosign, in two steps:
  sealift promote ./site --first eu --config sealift.json --prepare catalogue.payload
  cosign sign-blob --bundle catalogue.bundle catalogue.payload
  sealift publish --out ./site --config sealift.json --payload catalogue.payload --attach catalogue.bundle
${EXIT_HELP}`

export function addPromote(program: Command, terminal: Terminal): void {
  const command = program
    .command('promote')
    .description('sign the catalogue anew with another order of places, another roll-out, or what an earlier one said')
    .argument('<site>', 'folder of the published layout')
    .option('--first <ids>', 'origins to be asked before the others of their tier: eu,us', parseNames)
    .option('--tiers <tiers>', 'order of tiers: gateway,mesh,cdn', parseTiers)
    .option('--rollout <name@version=percent>', 'share of clients that are offered a version; repeat for several', collectRollout)
    .option('--rollback [version]', 'begin with what the catalogue before said, or the one of this version', parseInteger)
    .option('--expires-in <duration>', 'how long clients accept it, from now; default: as the one before', parseDuration)
    .option('--grace <duration>', 'how long an outage may stretch its life; default: as the one before', parseDuration)
    .option('--key <file>', 'sign with this private key (see `sealift keygen`)')
    .option('--authority <dir>', 'sign with an offline authority that lives in this folder, as --identity and --issuer')
    .option('--config <file-or-url>', 'sealift.json that must accept it')
    .option('--prepare <file>', 'write the payload to be signed elsewhere into this file, and no catalogue')
    .option('--json', 'print one JSON object')
  addTrustOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (site: string, flags: Flags) => {
      const options = await toOptions(site, flags, terminal.signal)
      const isJson = flags.json === true
      if (flags.prepare !== undefined) {
        const prepared = await preparePromotion(options, terminal.signal)
        await writeFile(flags.prepare, prepared.payload)
        const next = `attach it:  sealift publish --out ${site} --payload ${flags.prepare} --attach BUNDLE ...`
        const lines = [`prepared   ${flags.prepare}`, ...(prepared.isNew ? [next] : ['it says what the catalogue says already'])]
        return report(terminal, isJson, { lines, json: { ...toJson(prepared), payload: flags.prepare } })
      }
      const { signer } = options
      if (signer === undefined) throw invalid('signer', 'give --key, --authority, or sign elsewhere with --prepare')
      const done = await promote({ ...options, signer }, terminal.signal)
      report(terminal, isJson, { lines: describe(site, done), json: toJson(done) })
    })
}

async function toOptions(site: string, flags: Flags, signal: AbortSignal): Promise<PromoteOptions> {
  const { first, tiers, rollout: rollouts, rollback, expiresIn: lifetimeSeconds, grace: graceSeconds } = flags
  if ([first, tiers, rollouts, rollback, lifetimeSeconds, graceSeconds].every((change) => change === undefined))
    throw invalid('promote', 'nothing is to change: give --first, --tiers, --rollout, --rollback, --expires-in or --grace')
  const signer = await readSigner(flags)
  // With an authority, --identity says whom it signs as.
  const configOnly = flags.config === undefined ? {} : { config: flags.config }
  const trusted = await readTrust(flags.authority === undefined ? flags : configOnly, [site], signal)
  return {
    site,
    signer,
    trust: trusted?.trust,
    repository: trusted?.config?.repository,
    first,
    tiers,
    rollouts,
    rollback: rollback === true ? 'previous' : rollback,
    lifetimeSeconds,
    graceSeconds,
  }
}

function describe(site: string, { catalogue, isNew }: FinishedDraft): readonly string[] {
  const { repository, version, origins, delivery, expiresAtSeconds } = catalogue
  const expires = new Date(expiresAtSeconds * 1000).toISOString()
  return [
    `catalogue  ${repository} version ${version} in ${site}, good until ${expires}${isNew ? '' : ', unchanged'}`,
    `origins    ${origins.map(({ id, tier }) => `${id} (${tier})`).join(', ')}`,
    ...(delivery.tiers === undefined ? [] : [`tiers      ${delivery.tiers.join(', ')}`]),
  ]
}

function toJson({ catalogue, payloadSha256, isNew }: FinishedDraft): object {
  const { repository, version, expiresAtSeconds: expires, origins, delivery, artifacts } = catalogue
  return {
    catalogue: { repository, version, expires, payloadSha256, isNew },
    origins: origins.map(({ id }) => id),
    tiers: delivery.tiers ?? null,
    artifacts: artifacts.map(({ name, version: release, platform, rollout, yanked }) => ({
      name,
      version: release,
      platform: platform ?? null,
      rollout,
      yanked,
    })),
  }
}

function invalid(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail })
}
