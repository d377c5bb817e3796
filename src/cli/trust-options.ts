import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { DeliveryError } from '../core/errors.ts'
import type { SiteConfig, TrustConfig } from '../core/manifest/site-config.ts'
import { DEFAULT_THRESHOLDS, requirePolicy, type Signer } from '../core/verify/identity-policy.ts'
import { readInput } from '../node/input-file.ts'
import type { Sha256 } from '../core/model/ids.ts'
import { readSite, type SiteReader } from '../node/site/site-reader.ts'
import { newestTrust } from '../node/trust-updates/newest-trust.ts'
import { readConfig } from '../node/verify/read-config.ts'
import { ANY_PROVENANCE } from '../core/verify/provenance-policy.ts'
import { siteTrust, type SiteTrust } from '../core/verify/site-trust.ts'
import { readPolicyFile } from '../node/trust/policy-file.ts'
import { readTrustedRoot } from '../node/trust/trusted-root-file.ts'

/** Whose signature counts, as given on a command line. */
export interface TrustFlags {
  readonly identity?: string
  readonly issuer?: string
  readonly trustedRoot?: string
  readonly publicKey?: string
  readonly policy?: string
}

export function addTrustOptions(command: Command): Command {
  return command
    .option('--identity <uri>', 'who must have signed: the whole identity in the certificate')
    .option('--issuer <url>', 'who vouched for that identity, for example https://token.actions.githubusercontent.com')
    .option('--trusted-root <file>', 'Sigstore trusted_root.json or .jsonl, for --identity')
    .option('--policy <file>', 'policy file (see `sealift policy`), instead of --identity and --public-key')
    .option('--public-key <file>', 'PEM key that must have signed, instead of --identity')
}

/** What the flags say, or undefined when none is given. @throws {DeliveryError} `policy-missing`, `input-invalid` */
export async function readTrustFlags(flags: TrustFlags): Promise<TrustConfig | undefined> {
  const { identity, issuer, trustedRoot, publicKey, policy } = flags
  if ([identity, issuer, publicKey, policy, trustedRoot].every((flag) => flag === undefined)) return undefined
  if (policy !== undefined) {
    if (identity !== undefined || issuer !== undefined || publicKey !== undefined)
      throw new DeliveryError({
        code: 'input-invalid',
        path: '--policy',
        detail: 'cannot be used together with --identity, --issuer or --public-key',
      })
    return await readPolicyFile(policy, trustedRoot)
  }
  const signers: Signer[] = []
  if (publicKey !== undefined) signers.push({ kind: 'key', publicKeyPem: await readText(publicKey) })
  if (identity !== undefined || issuer !== undefined) signers.push({ kind: 'certificate', identity: identity ?? '', issuer: issuer ?? '' })
  const root = trustedRoot === undefined ? undefined : await readTrustedRoot(trustedRoot)
  requirePolicy(signers, { trustedRoot: root })
  return {
    catalogueSigners: signers,
    artifactSigners: signers,
    minSigners: { catalogue: 1, artifacts: 1 },
    trustedRoot: root,
    thresholds: DEFAULT_THRESHOLDS,
    provenance: ANY_PROVENANCE,
    minimumVersion: 0,
    version: 0,
    updates: undefined,
  }
}

/** Whose signature counts, and what those say who may change that. */
export interface ReadTrust {
  readonly trust: SiteTrust
  readonly config: SiteConfig | undefined
  readonly denied: readonly Sha256[]
  /** Lowest catalogue version that is accepted. */
  readonly minimumVersion: number
  /** Number of the pinned and of the newest trust update; undefined where the flags alone say whom to trust. */
  readonly updates: { readonly pinned: number; readonly newest: number } | undefined
}

/**
 * Trust from the flags, else from a `sealift.json` and the trust updates on top of it; undefined when neither is given.
 * @param places folders or URLs of the published layout, or what reads it, that may have trust updates. Undefined: those that the configuration names
 */
export async function readTrust(
  flags: TrustFlags & { readonly config?: string },
  places: readonly (string | SiteReader)[] | undefined,
  signal: AbortSignal,
): Promise<ReadTrust | undefined> {
  const config = flags.config === undefined ? undefined : await readConfig(flags.config, signal)
  const said = await readTrustFlags(flags)
  if (said !== undefined)
    return { trust: siteTrust(said), config, denied: [], minimumVersion: config?.trust.minimumVersion ?? 0, updates: undefined }
  if (config === undefined) return undefined
  const sites = (places ?? placesOf(config)).map((place) => (typeof place === 'string' ? readSite(place) : place))
  return { config, ...(await trustOfConfig(config, sites, signal)) }
}

/** Whom a `sealift.json` trusts now: what it says, and the trust updates on top of it that one of `sites` has. */
export async function trustOfConfig(
  config: SiteConfig,
  sites: readonly SiteReader[],
  signal: AbortSignal,
): Promise<Omit<ReadTrust, 'config'>> {
  const state = await newestTrust(config, sites, signal)
  const minimumVersion = Math.max(state.config.minimumVersion, state.reset?.floor ?? 0)
  return {
    trust: state.site,
    denied: state.denied,
    minimumVersion,
    updates: { pinned: config.trust.version, newest: state.config.version },
  }
}

function placesOf({ origins, gateways }: SiteConfig): readonly string[] {
  return [...origins, ...gateways].map(({ url }) => url)
}

/** @throws {DeliveryError} `input-invalid` */
export function readText(path: string): Promise<string> {
  return readInput(path, (file) => readFile(file, 'utf8'))
}
