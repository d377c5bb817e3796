import { documentComplaints } from '../json/json.ts'
import type { TrustConfig } from '../manifest/site-config.ts'
import type { Sha256 } from '../model/ids.ts'
import type { SignatureVerifier } from '../ports.ts'
import { siteTrust, type SiteTrust } from './site-trust.ts'
import { vouchForTrustUpdate } from './vouch.ts'

/** Whom a client trusts: the section that the portal pins, and every update accepted on top of it. */
export interface TrustState {
  readonly config: TrustConfig
  readonly site: SiteTrust
  /** Of all updates. */
  readonly denied: readonly Sha256[]
  /** The last update that put another floor in place of the catalogue versions seen before it. */
  readonly reset: { readonly version: number; readonly floor: number } | undefined
}

/** Before any update. */
export function beginTrust(config: TrustConfig): TrustState {
  return { config, site: siteTrust(config), denied: [], reset: undefined }
}

/**
 * One step: the state after an update that both those before it and those after it signed. It has to be the very next one.
 * @param file `/trust/<n>.json` as served
 * @throws {DeliveryError} `format-*`, `signature-missing`, `signers-too-few`, `config-invalid`, `policy-missing`, or why the first
 * bundle was refused
 */
export async function advanceTrust(
  before: TrustState,
  { file, repository }: { readonly file: Uint8Array; readonly repository: string },
  verifier: SignatureVerifier,
): Promise<TrustState> {
  const update = await vouchForTrustUpdate(file, before.site.updates, verifier)
  const { version, trust, resetFloor } = update
  requireIs('repository', update.repository, repository)
  requireIs('version', version, before.config.version + 1)
  return {
    config: trust,
    site: siteTrust(trust),
    denied: [...new Set([...before.denied, ...update.denied])],
    reset: resetFloor === undefined ? before.reset : { version, floor: resetFloor },
  }
}

function requireIs(path: string, actual: string | number, expected: string | number): void {
  if (actual !== expected) throw documentComplaints('trust-update').refuse(path, `expected ${expected}, got ${actual}`)
}
