import { readFile } from 'node:fs/promises'
import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError, describeFailure, failureOf } from '../../core/errors.ts'
import { openJson } from '../../core/json/json.ts'
import { LIMITS } from '../../core/limits.ts'
import { encodeEnvelope, TRUST_UPDATE } from '../../core/manifest/parse-envelope.ts'
import type { SiteConfig, TrustConfig } from '../../core/manifest/site-config.ts'
import { readTrust } from '../../core/manifest/trust-field.ts'
import { encodeTrustUpdate, parseTrustUpdate, type TrustUpdate } from '../../core/manifest/trust-update.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import { advanceTrust, type TrustState } from '../../core/verify/trust-chain.ts'
import { createSigstoreVerifier } from '../../trust/sigstore-verifier.ts'
import { readInput } from '../input-file.ts'
import { withSiteLock } from '../publish/site-lock.ts'
import { readSiteIn } from '../site/site-reader.ts'
import { writeSite } from '../site/site-writer.ts'
import { systemClock } from '../system-clock.ts'
import { newestTrust } from './newest-trust.ts'

/** A site, and what its sealift.json pins. */
export interface TrustPlace {
  readonly config: Pick<SiteConfig, 'repository' | 'trust'>
  /** Folder of the published layout. */
  readonly site: string
}

export interface NextTrust {
  /** File with the trust section as it shall be, as in sealift.json. */
  readonly sectionPath: string
  readonly denied: readonly Sha256[]
  readonly resetFloor: number | undefined
  readonly clock?: Clock | undefined
}

/** What to sign, byte for byte, and who has to: enough of `before.updates`, and enough of the update's own. */
export interface PreparedUpdate {
  readonly payload: Uint8Array
  readonly update: TrustUpdate
  readonly before: TrustState
}

/**
 * The update that comes after the newest one that the site has.
 * @throws {DeliveryError} `input-invalid`; `policy-missing` when nobody may change trust
 */
export async function prepareTrustUpdate(place: TrustPlace, next: NextTrust, signal: AbortSignal): Promise<PreparedUpdate> {
  const before = await newestTrust(place.config, [readSiteIn(place.site)], signal)
  requireUpdates(before)
  const version = before.config.version + 1
  const { updates, ...trust } = await readSection(next.sectionPath)
  if (updates === undefined) throw invalid(`${next.sectionPath}: updates`, 'is missing: it says who may sign the update after this one')
  if (new Set([...before.denied, ...next.denied]).size > LIMITS.deniedDigests)
    throw invalid('denied', `all updates together may deny ${LIMITS.deniedDigests} digests`)
  const update: TrustUpdate = {
    schema: 1,
    repository: place.config.repository,
    version,
    createdAtSeconds: nowSeconds(next.clock ?? systemClock),
    trust: { ...trust, version, updates },
    denied: next.denied,
    resetFloor: next.resetFloor,
  }
  return { payload: encodeTrustUpdate(update), update, before }
}

/**
 * Puts a signed update into the site, checked as each client will check it. What is there is never overwritten.
 * @throws {DeliveryError} `publish-conflict` when it is not the next one, or somebody is publishing to the site; `signers-too-few` and the
 * like when clients would refuse it
 */
export async function attachTrustUpdate(
  place: TrustPlace,
  signed: { readonly payload: Uint8Array; readonly bundles: readonly Uint8Array[] },
  signal: AbortSignal,
): Promise<TrustState> {
  const { repository } = place.config
  const file = encodeEnvelope(signed, TRUST_UPDATE)
  const { version } = parseTrustUpdate(signed.payload)
  return await withSiteLock(place.site, async (lock) => {
    const before = await newestTrust(place.config, [readSiteIn(place.site)], signal)
    requireUpdates(before)
    const expected = before.config.version + 1
    if (version !== expected) throw conflict(version, `${place.site} is at ${before.config.version}, so that the next one is ${expected}`)
    const after = await advanceTrust(before, { file, repository }, createSigstoreVerifier())
    await lock.requireHeld()
    signal.throwIfAborted()
    if (!(await writeSite(place.site).addTrustUpdate(version, file)))
      throw conflict(version, 'is there already, and no client would accept it; look into it before you move it away')
    return after
  })
}

/** A trust section on its own. What number it says is not asked. @throws {DeliveryError} `input-invalid` */
async function readSection(path: string): Promise<TrustConfig> {
  const bytes = await readInput(path, (file) => readFile(file))
  try {
    const refuse = (at: string, detail: string): DeliveryError => invalid(`${path}: ${at}`, detail)
    return readTrust(openJson(bytes, { document: 'site-config', limitBytes: LIMITS.trustUpdateBytes, refuse }))
  } catch (error) {
    const failure = failureOf(error)
    if (failure === undefined || failure.code === 'input-invalid') throw error
    throw new DeliveryError({ code: 'input-invalid', path, detail: describeFailure(failure) }, { cause: error })
  }
}

function requireUpdates({ site }: TrustState): void {
  if (site.updates !== undefined) return
  const detail = 'trust.updates of sealift.json names nobody who may sign a trust update; publish another sealift.json instead'
  throw new DeliveryError({ code: 'policy-missing', detail })
}

function invalid(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail })
}

function conflict(version: number, detail: string): DeliveryError {
  return new DeliveryError({ code: 'publish-conflict', name: `trust/${version}.json`, detail })
}
