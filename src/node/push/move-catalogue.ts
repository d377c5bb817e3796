import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { acceptCatalogue } from '../../core/manifest/freshness.ts'
import { vouchForCatalogue, type VouchedCatalogue } from '../../core/verify/vouch.ts'
import { FileTrouble, placeFile, readWhole, type FillOptions } from './fill-target.ts'
import type { PushTarget } from './push-target.ts'
import type { Release, ReleaseTrust } from './read-release.ts'
import { retried } from './retries.ts'

const NAME = 'catalogue.json'

/**
 * Whether a mirror names this very catalogue, or an earlier one, or none that a client would take.
 * @throws {FileTrouble} `publish-conflict` when it names a later one, another of the same version, or one of another repository
 */
export async function isCurrent(
  target: PushTarget,
  { release, by, options }: { readonly release: Release; readonly by: ReleaseTrust; readonly options: FillOptions },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const file = await retried(() => readWhole(target, NAME, LIMITS.catalogueBytes, signal), options.retries, signal)
    const theirs = file === undefined ? undefined : await believed(file, by)
    return theirs !== undefined && isSame(theirs, release.vouched, target)
  } catch (error) {
    throw error instanceof DeliveryError ? new FileTrouble(NAME, error) : error
  }
}

/**
 * Lets a mirror that holds everything name it. Looks once more at what it names first: somebody else may have been there.
 * @returns false when it named it already
 * @throws {FileTrouble}
 */
export async function moveCatalogue(
  target: PushTarget,
  work: { readonly release: Release; readonly by: ReleaseTrust; readonly options: FillOptions },
  signal: AbortSignal,
): Promise<boolean> {
  if (await isCurrent(target, work, signal)) return false
  return await placeFile(target, work.release.catalogueFile, { ...work.options, isDeep: true }, signal)
}

/** Undefined for what every client refuses: it stands in nobody's way. */
async function believed(file: Uint8Array, by: ReleaseTrust): Promise<VouchedCatalogue | undefined> {
  try {
    const vouched = await vouchForCatalogue(file, by.trust.catalogue, by.verifier)
    acceptCatalogue({
      offered: vouched.catalogue,
      offeredSha256: vouched.payloadSha256,
      floor: undefined,
      minimumVersion: 0,
      repository: vouched.catalogue.repository,
      nowSeconds: nowSeconds(by.clock),
    })
    return vouched
  } catch (error) {
    if (failureOf(error) === undefined) throw error
    return undefined
  }
}

function isSame(theirs: VouchedCatalogue, ours: VouchedCatalogue, { place }: PushTarget): boolean {
  const [there, here] = [theirs.catalogue, ours.catalogue]
  if (there.repository !== here.repository)
    throw conflict(`${place} is a mirror of ${there.repository}, not of ${here.repository}; check the address`)
  if (there.version > here.version)
    throw conflict(`${place} has version ${there.version}, which is newer than ${here.version}; get it from there with \`sealift sync\``)
  if (there.version < here.version) return false
  if (theirs.payloadSha256 === ours.payloadSha256) return true
  throw conflict(
    `${place} has another catalogue of the same version, ${there.version}: somebody else signs with your key, or two published at once; publish again`,
  )
}

function conflict(detail: string): DeliveryError {
  return new DeliveryError({ code: 'publish-conflict', name: NAME, detail })
}
