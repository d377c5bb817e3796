import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError } from '../../core/errors.ts'
import type { Catalogue } from '../../core/manifest/catalogue.ts'
import { parseCatalogue } from '../../core/manifest/parse-catalogue.ts'
import { parseCatalogueEnvelope } from '../../core/manifest/parse-envelope.ts'
import type { SiteConfig } from '../../core/manifest/site-config.ts'
import type { Clock } from '../../core/ports.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { vouchForCatalogue } from '../../core/verify/vouch.ts'
import { createSigstoreVerifier } from '../../trust/sigstore-verifier.ts'
import { isWebUrl } from '../site/document.ts'
import { readSite } from '../site/site-reader.ts'
import { systemClock } from '../system-clock.ts'
import { finding, worstFirst, type Finding } from './finding.ts'
import { lintCatalogue } from './lint-catalogue.ts'
import { lintOrigins } from './lint-origins.ts'
import { lintSignaling } from './lint-signaling.ts'
import { lintTrust } from './lint-trust.ts'
import { lintTiers } from './lint-tiers.ts'
import type { LintSubject } from './subject.ts'

export interface LintOptions {
  /** Of the portal. At least this or `site` is needed. */
  readonly config?: SiteConfig | undefined
  /** Folder or URL of the published layout. Only its catalogue is read. */
  readonly site?: string | undefined
  /** Whose signature the catalogue has to have. Undefined: it is taken as it is, and a finding says so. */
  readonly trust?: SiteTrust | undefined
  /** How long an outage has to be outlived, in seconds. Default 7 days. */
  readonly outageSeconds?: number | undefined
  readonly clock?: Clock | undefined
}

const DEFAULT_OUTAGE_SECONDS = 7 * 86_400

/**
 * Looks for what a single fault would take away: origins, names, keys, servers, and a catalogue that runs out. It asks no server but for the
 * catalogue, so it knows what is written down and not what is true: two names may be one machine.
 * @returns worst first
 * @throws {DeliveryError} `input-invalid`, `catalogue-unavailable`; what a client would refuse the catalogue for, when `trust` is given
 * @example
 * const signal = AbortSignal.timeout(60_000)
 * const config = await readConfig('public/sealift.json', signal)
 * for (const finding of await lintSite({ config, site: 'site', trust: siteTrust(config.trust) }, signal)) console.log(finding)
 */
export async function lintSite(options: LintOptions, signal: AbortSignal): Promise<readonly Finding[]> {
  const { config, site, trust } = options
  if (config === undefined && site === undefined)
    throw new DeliveryError({ code: 'input-invalid', path: 'site', detail: 'or --config is needed' })
  return lintSubject({
    config,
    catalogue: site === undefined ? undefined : await readCatalogue(site, trust, signal),
    isCatalogueVerified: trust !== undefined,
    nowSeconds: nowSeconds(options.clock ?? systemClock),
    outageSeconds: options.outageSeconds ?? DEFAULT_OUTAGE_SECONDS,
  })
}

/** The same, of what was read already. */
export function lintSubject(subject: LintSubject): readonly Finding[] {
  const { config, catalogue } = subject
  const unseen =
    config === undefined
      ? finding('configuration-unseen', 'Trust, gateways and signaling stand in the sealift.json of the portal: give it with --config.')
      : finding('catalogue-unseen', 'Operators, regions and expiry stand in the catalogue: give the site too.')
  return worstFirst([
    ...lintOrigins(subject),
    ...lintTiers(subject),
    ...(config === undefined ? [] : [...lintSignaling(config), ...lintTrust(config.trust)]),
    ...(catalogue === undefined ? [] : lintCatalogue(catalogue, subject)),
    ...(config === undefined || catalogue === undefined ? [unseen] : []),
  ])
}

async function readCatalogue(site: string, trust: SiteTrust | undefined, signal: AbortSignal): Promise<Catalogue> {
  const file = await readSite(site).readCatalogue(signal)
  if (file === undefined) {
    if (isWebUrl(site)) throw new DeliveryError({ code: 'catalogue-unavailable', reasons: [] })
    throw new DeliveryError({ code: 'input-invalid', path: site, detail: 'holds no catalogue.json' })
  }
  if (trust === undefined) return parseCatalogue(parseCatalogueEnvelope(file).payload)
  return (await vouchForCatalogue(file, trust.catalogue, createSigstoreVerifier())).catalogue
}
