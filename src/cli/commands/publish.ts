import { readFile, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { DeliveryError } from '../../core/errors.ts'
import type { Origin } from '../../core/manifest/catalogue.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import { attachCatalogue } from '../../node/publish/attach-catalogue.ts'
import type { FileSettings } from '../../node/publish/publish-file.ts'
import { preparePublish, publish, type PublishOptions, type PublishReport } from '../../node/publish/publish.ts'
import type { ListedVersion } from '../../node/publish/yank.ts'
import { readInput } from '../../node/input-file.ts'
import { EXIT_HELP } from '../exit-codes.ts'
import { readSigner } from '../signer.ts'
import { report, type Terminal } from '../terminal.ts'
import { addTrustOptions, readText, readTrust, type TrustFlags } from '../trust-options.ts'
import {
  collect,
  collectDigest,
  collectFact,
  collectNamedUrl,
  collectVersion,
  parseBytes,
  parseDuration,
  parseInteger,
  type NamedUrl,
} from '../values.ts'

interface Flags extends TrustFlags {
  readonly out: string
  readonly repository?: string
  readonly key?: string
  readonly authority?: string
  readonly config?: string
  readonly prepare?: string
  readonly attach?: readonly string[]
  readonly payload?: string
  readonly origin?: readonly NamedUrl[]
  readonly gateway?: readonly NamedUrl[]
  readonly operator?: ReadonlyMap<string, string>
  readonly region?: ReadonlyMap<string, string>
  readonly name?: string
  readonly release?: string
  readonly platform?: string
  readonly channel?: string
  readonly mediaType?: string
  readonly critical?: boolean
  readonly mesh: boolean
  readonly rollout?: number
  readonly deny?: readonly Sha256[]
  readonly yank?: readonly ListedVersion[]
  readonly pieceLength?: number
  readonly expiresIn?: number
  readonly refreshIn?: number
  readonly grace?: number
  readonly replace?: boolean
  readonly byName?: boolean
  readonly json?: boolean
}

const EXAMPLES = `
Files are described by their names (agent-1.2.3-linux-amd64.tar.gz), by sealift.publish.json in the folder, or by the
options below, of which the later win. Sigstore bundles lie beside them as FILE.sigstore.json or FILE.sigstore.jsonl.

sealift.publish.json, every member optional:
  { "defaults": { "channel": "stable", "mesh": true },
    "files": { "bin/tool": { "name": "tool", "version": "1.0.0", "platform": "linux/amd64", "mediaType": "application/gzip",
               "priority": "critical", "aliases": ["https://get.example/tool"], "rollout": 50 } } }

Examples:
  sealift publish ./dist --out ./site --repository acme --key signing-key.pem --origin https://cdn.example/
  sealift publish ./dist --out ./site --repository acme --authority ./authority      (demonstrations and tests)

Signing the catalogue with cosign, in two steps:
  sealift publish ./dist --out ./site --repository acme --config sealift.json --prepare catalogue.payload
  cosign sign-blob --bundle catalogue.bundle catalogue.payload
  sealift publish --out ./site --config sealift.json --payload catalogue.payload --attach catalogue.bundle
${EXIT_HELP}`

export function addPublish(program: Command, terminal: Terminal): void {
  const command = program
    .command('publish')
    .description('cut, sign and lay out the files of a folder, and write the signed catalogue last')
    .argument('[dir]', 'folder with the files')
    .requiredOption('--out <site>', 'folder of the published layout; any static server can serve it')
    .option('--repository <name>', 'name of the catalogue; never changes')
    .option('--key <file>', 'sign with this private key (see `sealift keygen`)')
    .option(
      '--authority <dir>',
      'sign with an offline authority that lives in this folder, as --identity and --issuer; default: as a local test build',
    )
    .option('--config <file-or-url>', 'sealift.json that must accept all of it')
    .option('--prepare <file>', 'write the payload to be signed elsewhere into this file, and no catalogue')
    .option('--attach <bundle>', 'publish the prepared --payload under this Sigstore bundle; repeat where several have to sign', collect)
    .option('--payload <file>', 'what --prepare wrote')
    .option('--origin <url>', '[NAME=]URL of a place that will serve the layout; repeat for several', collectNamedUrl)
    .option('--gateway <url>', '[NAME=]URL of a gateway in the local network; repeat for several', collectNamedUrl)
    .option(
      '--operator <origin=words>',
      'who runs a place that --origin or --gateway names: eu=Acme Cloud; repeat for several',
      collectFact,
    )
    .option('--region <origin=words>', 'where such a place is: eu=eu-central; repeat for several', collectFact)
    .option('--name <name>', 'name of every artifact in the folder')
    .option('--release <version>', 'version of every artifact in the folder')
    .option('--platform <os/arch>', 'platform of every artifact in the folder')
    .option('--channel <name>', 'channel of every artifact in the folder')
    .option('--media-type <type>', 'media type of every artifact in the folder')
    .option('--critical', 'pages fetch them before others, those of up to 1 MiB from all sources at once')
    .option('--no-mesh', 'peers may not pass them on')
    .option('--rollout <percent>', 'share of clients that are offered them', parseInteger)
    .option('--deny <sha256>', 'withdraw an artifact by digest, offline copies too; repeat for several', collectDigest)
    .option('--yank <name@version>', 'offer a published version to nobody any more; repeat for several', collectVersion)
    .option('--piece-length <bytes>', '64K to 4M, a power of two; default by size', parseBytes)
    .option('--expires-in <duration>', 'how long clients accept the catalogue; default 14d', parseDuration)
    .option('--refresh-in <duration>', 'after how long they ask for a newer one; default 1h', parseDuration)
    .option('--grace <duration>', 'how long an outage may stretch its life; default 0', parseDuration)
    .option('--replace', 'list only these files, and allow other bytes under a published version')
    .option('--by-name', 'also lay the files out by name')
    .option('--json', 'print one JSON object')
  addTrustOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (dir: string | undefined, flags: Flags) => {
      if (flags.attach !== undefined) return attach(flags.attach, flags, terminal)
      const options = await toOptions(required(dir, 'a folder'), flags, terminal.signal)
      if (flags.prepare !== undefined) return prepare(options, flags.prepare, { terminal, isJson: flags.json === true })
      const { signer } = options
      if (signer === undefined) throw invalid('signer', 'give --key, --authority, or sign elsewhere with --prepare')
      const result = await publish({ ...options, signer }, terminal.signal)
      report(terminal, flags.json === true, { lines: describe(options, result), json: toJson(options, result) })
    })
}

async function prepare(
  options: PublishOptions,
  path: string,
  to: { readonly terminal: Terminal; readonly isJson: boolean },
): Promise<void> {
  const prepared = await preparePublish(options, to.terminal.signal)
  await writeFile(path, prepared.payload)
  const next = prepared.isNew
    ? [
        `sign it:    cosign sign-blob --bundle ${path}.bundle ${path}`,
        `attach it:  sealift publish --out ${options.site} --payload ${path} --attach ${path}.bundle ...`,
      ]
    : ['nothing changed since the last catalogue: there is nothing to sign']
  report(to.terminal, to.isJson, { lines: [`prepared   ${path}`, ...next], json: { ...toJson(options, prepared), payload: path } })
}

async function attach(bundlePaths: readonly string[], flags: Flags, terminal: Terminal): Promise<void> {
  const trusted = await readTrust(flags, [flags.out], terminal.signal)
  if (trusted === undefined)
    throw new DeliveryError({ code: 'policy-missing', detail: 'give --config, --policy, or --identity with --issuer and --trusted-root' })
  const payload = await readInput(required(flags.payload, '--payload'), (file) => readFile(file))
  const bundles = await Promise.all(bundlePaths.map(async (path) => Buffer.from(await readText(path))))
  const catalogue = await attachCatalogue({ site: flags.out, payload, bundles, trust: trusted.trust }, terminal.signal)
  const { repository, version, artifacts } = catalogue
  const lines = [`catalogue  ${repository} version ${version}, ${artifacts.length} artifacts`]
  report(terminal, flags.json === true, { lines, json: { catalogue: { repository, version, artifacts: artifacts.length } } })
}

async function toOptions(dir: string, flags: Flags, signal: AbortSignal): Promise<PublishOptions> {
  const signer = await readSigner(flags)
  // With an authority, --identity says whom it signs as; what has to accept the result is then its own trust, or --config.
  const configOnly = flags.config === undefined ? {} : { config: flags.config }
  const trusted = await readTrust(flags.authority === undefined ? flags : configOnly, [flags.out], signal)
  return {
    dir,
    site: flags.out,
    repository: required(flags.repository ?? trusted?.config?.repository, '--repository'),
    signer,
    trust: trusted?.trust,
    origins: toOrigins(flags),
    denied: flags.deny,
    yanked: flags.yank,
    settings: toSettings(flags),
    pieceLengthBytes: flags.pieceLength,
    lifetimeSeconds: flags.expiresIn,
    refreshSeconds: flags.refreshIn,
    graceSeconds: flags.grace,
    replace: flags.replace,
    byName: flags.byName,
  }
}

function toOrigins({ origin = [], gateway = [], operator, region }: Flags): readonly Origin[] | undefined {
  const named = [
    ...origin.map((one) => ({ ...one, tier: 'cdn' as const })),
    ...gateway.map((one) => ({ ...one, tier: 'gateway' as const })),
  ]
  for (const id of [...(operator?.keys() ?? []), ...(region?.keys() ?? [])])
    if (!named.some((one) => one.id === id))
      throw invalid('--operator', `or --region names ${id}, which no --origin and no --gateway is called`)
  if (named.length === 0) return undefined
  return named.map((one) => ({ ...one, region: region?.get(one.id), operator: operator?.get(one.id) }))
}

function toSettings(flags: Flags): FileSettings {
  const { name, release, platform, channel, mediaType, rollout } = flags
  const priority = flags.critical === true ? 'critical' : undefined
  // Only a refusal is an order: without it, sealift.publish.json decides.
  return { name, version: release, platform, channel, mediaType, rollout, priority, mesh: flags.mesh ? undefined : false }
}

function describe({ site, yanked = [] }: PublishOptions, { catalogue, artifacts, isNew }: PublishReport): readonly string[] {
  const files = artifacts.map(({ entry, isNew: isNewFile }) => {
    const words = [isNewFile ? 'published' : 'unchanged', '', entry.name, entry.version, entry.platform]
    return `${words.filter((word) => word !== undefined).join(' ')} (${entry.artifact.sizeBytes} bytes, SHA-256 ${entry.artifact.sha256})`
  })
  const taken = yanked.map(({ name, version }) => `yanked     ${name} ${version}`)
  const expires = new Date(catalogue.expiresAtSeconds * 1000).toISOString()
  const state = isNew ? '' : ', unchanged'
  return [...files, ...taken, `catalogue  ${catalogue.repository} version ${catalogue.version} in ${site}, good until ${expires}${state}`]
}

function toJson({ yanked = [] }: PublishOptions, { catalogue, artifacts, isNew, payloadSha256 }: PublishReport): object {
  return {
    catalogue: { repository: catalogue.repository, version: catalogue.version, expires: catalogue.expiresAtSeconds, payloadSha256, isNew },
    artifacts: artifacts.map(({ entry, isNew: isNewFile }) => ({
      name: entry.name,
      version: entry.version,
      platform: entry.platform ?? null,
      sha256: entry.artifact.sha256,
      sizeBytes: entry.artifact.sizeBytes,
      manifest: entry.manifest.sha256,
      isNew: isNewFile,
    })),
    yanked,
  }
}

function required(value: string | undefined, what: string): string {
  if (value === undefined) throw invalid(what, 'is needed')
  return value
}

function invalid(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail })
}
