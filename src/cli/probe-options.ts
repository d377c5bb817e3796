import type { Command } from 'commander'
import { DeliveryError } from '../core/errors.ts'
import type { SiteConfig, TrustConfig } from '../core/manifest/site-config.ts'
import { siteTrust } from '../core/verify/site-trust.ts'
import type { ProbedPlace } from '../node/probe/catalogues.ts'
import type { ProbeOptions } from '../node/probe/probe.ts'
import { readSiteAt } from '../node/site/site-reader.ts'
import { readConfig } from '../node/verify/read-config.ts'
import { portalOf, readPortal } from './portal.ts'
import { addTrustOptions, readTrustFlags, trustOfConfig, type TrustFlags } from './trust-options.ts'
import { collect, collectNamedUrl, parseDuration, parseShare, type NamedUrl } from './values.ts'

/** What both `check` and `probe` are told. */
export interface ProbeFlags extends TrustFlags {
  readonly config?: string
  readonly portal?: string
  readonly site?: readonly NamedUrl[]
  readonly skip?: readonly string[]
  readonly challenge?: boolean
  readonly rot: number
  readonly confidence: number
  readonly timeout: number
  readonly within: number
  readonly lag: number
  readonly minLeft: number
  readonly prometheus?: string
  readonly json?: boolean
}

export function addProbeOptions(command: Command): Command {
  return addTrustOptions(
    command
      .option('--config <file-or-url>', "the portal's sealift.json: whom to trust, and where to begin")
      .option(
        '--portal <origin>',
        'whose scripts have to be able to read all this; its /sealift.json is read unless --config, or --site and whom to trust, is given',
      )
      .option('--site <url>', '[NAME=]URL of an origin or gateway, instead of those in --config; repeat for several', collectNamedUrl)
      .option('--skip <id>', 'an origin or gateway that cannot be reached from here; repeat for several', collect)
      .option('--challenge', 'also fetch random pieces of each place, and hold them to what was signed')
      .option('--rot <share>', 'the challenge finds this share of rotten pieces', parseShare, 0.1)
      .option('--confidence <share>', '... with this probability: 66 pieces by default', parseShare, 0.999)
      .option('--timeout <duration>', 'how long a server may be silent', parseDuration, 10)
      .option('--within <duration>', 'how long one check of one place may take in all', parseDuration, 120)
      .option('--lag <duration>', 'how long after a publication a place may still have the catalogue before it', parseDuration, 120)
      .option('--min-left <duration>', 'what has to be left until the catalogue expires', parseDuration, 0)
      .option('--prometheus <file>', 'where to write metrics, for the textfile collector of node_exporter: NAME.prom')
      .option('--json', 'print one JSON object for each round'),
  )
}

/** @throws {DeliveryError} `input-invalid`, `policy-missing`, `config-*` */
export async function readProbeOptions(flags: ProbeFlags, command: Command, signal: AbortSignal): Promise<ProbeOptions> {
  const given = readPortal(flags.portal, command)
  const said = await readTrustFlags(flags)
  // With places and a policy of their own nothing is left to ask the portal, which may be down.
  const isComplete = said !== undefined && flags.site !== undefined
  const place = flags.config ?? (given === undefined || isComplete ? undefined : `${given}/sealift.json`)
  const config = place === undefined ? undefined : await readConfig(place, signal)
  const places = placesOf(flags, config)
  return {
    places,
    trust: trustOf({ flags, said, config, places }),
    repository: config?.repository,
    portal: given ?? portalOf(place),
    skip: flags.skip,
    challenge: flags.challenge === true ? { rot: flags.rot, confidence: flags.confidence } : undefined,
    timeoutMs: Math.max(1, flags.timeout) * 1000,
    checkMs: Math.max(1, flags.within) * 1000,
    lagSeconds: flags.lag,
    minLeftSeconds: flags.minLeft,
  }
}

function placesOf({ site }: ProbeFlags, config: SiteConfig | undefined): readonly ProbedPlace[] {
  const configured = config === undefined ? [] : placesIn(config)
  const places = site?.map(({ id, url }): ProbedPlace => ({ id, url, tier: tierOf(url, config) })) ?? configured
  if (places.length === 0) throw invalid('--config', 'or --site is needed, and has to name an origin or a gateway')
  return places
}

interface TrustSources {
  readonly flags: ProbeFlags
  readonly said: TrustConfig | undefined
  readonly config: SiteConfig | undefined
  readonly places: readonly ProbedPlace[]
}

function trustOf({ flags, said, config, places }: TrustSources): ProbeOptions['trust'] {
  if (said !== undefined) {
    const fixed = { trust: siteTrust(said), denied: [], minimumVersion: config?.trust.minimumVersion ?? 0 }
    return () => Promise.resolve(fixed)
  }
  if (config === undefined)
    throw new DeliveryError({
      code: 'policy-missing',
      detail: 'give --config, --policy, --identity with --issuer and --trusted-root, or --public-key',
    })
  const timeoutMs = Math.max(1, flags.timeout) * 1000
  const readers = places.map(({ url }) => readSiteAt(url, timeoutMs))
  return (signal) => trustOfConfig(config, readers, signal)
}

function placesIn({ origins, gateways }: SiteConfig): readonly ProbedPlace[] {
  return [
    ...origins.map(({ id, url }): ProbedPlace => ({ id, url, tier: 'cdn' })),
    ...gateways.map(({ id, url }): ProbedPlace => ({ id, url, tier: 'gateway' })),
  ]
}

function tierOf(url: string, config: SiteConfig | undefined): ProbedPlace['tier'] {
  return config?.gateways.some((gateway) => gateway.url === url) === true ? 'gateway' : 'cdn'
}

function invalid(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail })
}
