import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { acceptCatalogue } from '../../core/manifest/freshness.ts'
import { vouchForCatalogue, type VouchedCatalogue } from '../../core/verify/vouch.ts'
import { fillTarget, named, readWhole, writeChecked, type FillOptions } from './fill-target.ts'
import type { PushTarget } from './push-target.ts'
import type { Release, ReleaseTrust } from './read-release.ts'
import { retried } from './retries.ts'

const NAME = 'catalogue.json'

interface CatalogueWork {
  readonly release: Release
  readonly by: ReleaseTrust
  readonly options: FillOptions
}

/**
 * Whether a mirror names this very catalogue, or an earlier one, or none that a client would take.
 * @throws {FileTrouble} `publish-conflict` when it names a later one, another of the same version, or one of another repository
 */
export async function isCurrent(target: PushTarget, work: CatalogueWork, signal: AbortSignal): Promise<boolean> {
  return await named(NAME, () => retried(() => look(target, work, signal), work.options.retries, signal))
}

/**
 * Lets a mirror that holds everything name it, and puts the trust updates before it, in their order and also where it is named already. Each attempt looks once more at what it names first: somebody else may have been there, also
 * in the pause after an attempt that failed. Not promised: that nobody is there between that look and the write.
 * @returns false when it named it already
 * @throws {FileTrouble}
 */
export async function moveCatalogue(target: PushTarget, work: CatalogueWork, signal: AbortSignal): Promise<boolean> {
  const { release, options } = work
  const updates = release.updates.map((file) => [file])
  await fillTarget(target, updates, options, signal)
  let isSent = false
  const attempt = async (): Promise<boolean> => {
    if (await look(target, work, signal)) return isSent
    isSent = true
    await writeChecked(target, release.catalogueFile, signal)
    return true
  }
  return await named(NAME, () => retried(attempt, options.retries, signal))
}

async function look(target: PushTarget, { release, by }: CatalogueWork, signal: AbortSignal): Promise<boolean> {
  const file = await readWhole(target, NAME, LIMITS.catalogueBytes, signal)
  const theirs = file === undefined ? undefined : await believed(file, by)
  return theirs !== undefined && isSame(theirs, release.vouched, target)
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
