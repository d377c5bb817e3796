import type { Command } from 'commander'
import { DeliveryError } from '../../core/errors.ts'
import { DEFAULT_MAX_GRACE_SECONDS } from '../../core/manifest/parse-site-config.ts'
import type { GatewayConfig, SiteConfig } from '../../core/manifest/site-config.ts'
import { initSite } from '../../node/init.ts'
import { isLoopback } from '../../node/loopback.ts'
import { report, type Terminal } from '../terminal.ts'
import { addTrustOptions, readTrustFlags, type TrustFlags } from '../trust-options.ts'
import { collect, collectNamedUrl, type NamedUrl } from '../values.ts'

interface Flags extends TrustFlags {
  readonly repository?: string
  readonly origin?: readonly NamedUrl[]
  readonly gateway?: readonly NamedUrl[]
  readonly signaling?: readonly string[]
  readonly ticketUrl?: string
  readonly requireProvenance?: boolean
  readonly shell?: readonly string[]
  readonly force?: boolean
  readonly json?: boolean
}

export function addInit(program: Command, terminal: Terminal): void {
  const command = program
    .command('init')
    .description('copy the worker and its scripts into a public folder, and write sealift.json')
    .argument('<public-dir>', "folder that the portal's own origin serves")
    .option('--repository <name>', 'name of the catalogue; without it the scripts alone are copied')
    .option('--origin <url>', '[NAME=]URL of a place that serves the published layout; repeat for several', collectNamedUrl)
    .option('--gateway <url>', '[NAME=]URL of a gateway in the local network; repeat for several', collectNamedUrl)
    .option('--signaling <url>', 'wss: URL of a signaling server; turns the mesh on; repeat for several', collect)
    .option('--ticket-url <url>', 'where a page gets its membership ticket')
    .option('--require-provenance', 'refuse artifacts without SLSA provenance')
    .option(
      '--shell <pattern>',
      "files that the worker keeps, for when the portal's origin is down: 'assets/**'; repeat for several",
      collect,
    )
    .option('--force', 'overwrite files that differ')
    .option('--json', 'print one JSON object')
  addTrustOptions(command)
    .addHelpText(
      'after',
      "\nExample:\n  sealift init ./public --repository acme --origin https://cdn.example/ --gateway http://gateway.lan/ \\\n    --identity https://github.com/acme/agent/.github/workflows/release.yml@refs/heads/main \\\n    --issuer https://token.actions.githubusercontent.com --trusted-root trusted_root.json\n\nAfter each deployment, to renew the list of files that the worker keeps:\n  sealift init ./public --shell index.html --shell 'assets/**'",
    )
    .action(async (publicDir: string, flags: Flags) => {
      const { force, shell: patterns } = flags
      const { written, unchanged, shell, elementTag } = await initSite(
        { publicDir, config: await toConfig(flags), force, shell: patterns },
        terminal.signal,
      )
      const kept = patterns === undefined ? [] : [`shell      ${shell.length} files are kept for when the origin is down`]
      const lines = [
        ...written.map((name) => `written    ${name}`),
        ...unchanged.map((name) => `unchanged  ${name}`),
        ...kept,
        `element    ${elementTag}`,
      ]
      report(terminal, flags.json === true, { lines, json: { written, unchanged, shell, elementTag } })
    })
}

async function toConfig(flags: Flags): Promise<SiteConfig | undefined> {
  const trust = await readTrustFlags(flags)
  if (flags.repository === undefined) {
    const isBare = trust === undefined && flags.origin === undefined && flags.gateway === undefined && flags.signaling === undefined
    if (isBare) return undefined
    throw new DeliveryError({ code: 'input-invalid', path: '--repository', detail: 'is needed to write sealift.json' })
  }
  if (trust === undefined)
    throw new DeliveryError({
      code: 'policy-missing',
      detail: 'give --policy, --identity with --issuer and --trusted-root, or --public-key',
    })
  return {
    schema: 1,
    repository: flags.repository,
    origins: flags.origin ?? [],
    gateways: (flags.gateway ?? []).map(toGateway),
    preset: 'cdn-first',
    tiers: undefined,
    mesh: {
      mode: flags.signaling === undefined ? 'off' : 'lan',
      signaling: flags.signaling ?? [],
      ticketUrl: flags.ticketUrl,
      iceServers: [],
    },
    trust: { ...trust, provenance: { ...trust.provenance, required: flags.requireProvenance ?? trust.provenance.required } },
    maxGraceSeconds: DEFAULT_MAX_GRACE_SECONDS,
  }
}

/** An https page may ask a plain http gateway only when it says which network that is in. */
function toGateway({ id, url }: NamedUrl): GatewayConfig {
  if (new URL(url).protocol !== 'http:') return { id, url, addressSpace: undefined }
  return { id, url, addressSpace: isLoopback(url) ? 'loopback' : 'local' }
}
