import { realpath } from 'node:fs/promises'
import { DeliveryError, type Failure } from '../../core/errors.ts'
import { DEFAULT_MAX_GRACE_SECONDS } from '../../core/manifest/parse-site-config.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { Clock, SignatureVerifier } from '../../core/ports.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { createSigstoreVerifier } from '../../trust/sigstore-verifier.ts'
import { readSiteIn } from '../site/site-reader.ts'
import { systemClock } from '../system-clock.ts'
import { directoryTarget } from './directory-target.ts'
import { FileTrouble, fillTarget, requireOneChain, type FilledFile, type FillOptions } from './fill-target.ts'
import { isCurrent, moveCatalogue } from './move-catalogue.ts'
import type { PushTarget } from './push-target.ts'
import type { Retries } from './retries.ts'
import { wordsOf } from './words.ts'
import { readRelease, type Release, type ReleasePlace, type ReleaseTrust } from './read-release.ts'

/** What pushing and syncing have in common. */
export interface MirrorOptions {
  readonly targets: readonly PushTarget[]
  /** Who must have signed what is copied. */
  readonly trust: SiteTrust
  /** Of which repository. Default: any. */
  readonly repository?: string | undefined
  /** Lowest catalogue version that is copied. Default 0. */
  readonly minimumVersion?: number | undefined
  /** How long after its end a catalogue is copied, at most as long as it allows itself. Default 7 days. */
  readonly maxGraceSeconds?: number | undefined
  /** By trust updates, on top of what the catalogue denies. */
  readonly denied?: readonly Sha256[] | undefined
  /** The trust updates that clients accept. Default: all there are. */
  readonly updates?: ReleaseTrust['updates']
  /** How often each step at a mirror is tried. Default 4. */
  readonly attempts?: number | undefined
  readonly onFile?: ((file: FilledFile) => void) | undefined
  readonly clock?: Clock | undefined
  readonly random?: (() => number) | undefined
  readonly verifier?: SignatureVerifier | undefined
}

export interface PushOptions extends MirrorOptions {
  /** Folder of the published layout. */
  readonly site: string
  /** How many targets have to hold all of it before any names it. Default: all. */
  readonly quorum?: number | undefined
}

/**
 * `moved`: it names the catalogue now; `current`: it did before, and holds all of it; `held`: it holds all of it, and the catalogue stayed as
 * it was, since too few others do; `failed`.
 */
export type MirrorState = 'moved' | 'current' | 'held' | 'failed'

export interface MirrorReport {
  readonly place: string
  readonly state: MirrorState
  readonly copiedFiles: number
  readonly copiedBytes: number
  /** Files that were there and right. */
  readonly keptFiles: number
  /** Undefined unless it failed. `words`: what the system or the other side said of it, if anything. */
  readonly trouble: { readonly file: string; readonly failure: Failure; readonly words: string | undefined } | undefined
}

export interface PushReport {
  readonly repository: string
  readonly version: number
  readonly quorum: number
  /** False: fewer mirrors than the quorum name this catalogue. */
  readonly isComplete: boolean
  /** In the order of the targets. */
  readonly mirrors: readonly MirrorReport[]
}

/**
 * Copies a published folder to its mirrors. A mirror names a catalogue only once it has given back every file of it, byte for byte, and once
 * enough mirrors can. Never puts an older catalogue in the place of a newer one. Run again it goes on where it was stopped.
 * @throws {DeliveryError} when the folder itself is not what a client would take; what fails at a mirror is in the report
 * @example
 * const signal = AbortSignal.timeout(600_000)
 * const trust = siteTrust((await readConfig('public/sealift.json', signal)).trust)
 * const targets = openTargets(['/srv/mirror', 'ssh://deploy@mirror.example/srv/releases'], { env: process.env })
 * const { isComplete, mirrors } = await pushSite({ site: 'site', targets, trust, quorum: 1 }, signal)
 * console.log(isComplete, mirrors.map(({ place, state }) => `${place}: ${state}`))
 */
export async function pushSite(options: PushOptions, signal: AbortSignal): Promise<PushReport> {
  const { site, targets } = options
  const quorum = options.quorum ?? targets.length
  if (targets.length === 0) throw invalid('targets', 'name at least one')
  if (quorum < 1 || quorum > targets.length) throw invalid('quorum', `expected 1 to ${targets.length}, got ${quorum}`)
  await requireOther(site, targets)
  const place = { files: directoryTarget(site), reader: readSiteIn(site), folder: site, retries: retriesOf(options) }
  return await mirror({ options, place, quorum, isDeep: true }, signal)
}

interface Mirroring {
  readonly options: MirrorOptions
  readonly place: ReleasePlace
  readonly quorum: number
  readonly isDeep: boolean
}

/** As `pushSite`, from wherever. */
export async function mirror({ options, place, quorum, isDeep }: Mirroring, signal: AbortSignal): Promise<PushReport> {
  const { targets } = options
  const retries = retriesOf(options)
  const by: ReleaseTrust = {
    trust: options.trust,
    repository: options.repository,
    minimumVersion: options.minimumVersion ?? 0,
    maxGraceSeconds: options.maxGraceSeconds ?? DEFAULT_MAX_GRACE_SECONDS,
    denied: options.denied ?? [],
    updates: options.updates,
    verifier: options.verifier ?? createSigstoreVerifier(),
    clock: retries.clock,
  }
  const release = await readRelease(place, by, signal)
  const works = targets.map((target) => openWork(target, { release, by, options: { isDeep, retries, onFile: options.onFile } }))
  await all(works.map((work) => work.fill(signal)))
  if (works.filter(({ isFilled }) => isFilled()).length >= quorum) await all(works.map((work) => work.move(signal)))
  const mirrors = works.map((work) => work.report())
  const isComplete = mirrors.filter(({ state }) => state === 'moved' || state === 'current').length >= quorum
  const { repository, version } = release.vouched.catalogue
  return { repository, version, quorum, isComplete, mirrors }
}

export function retriesOf({ clock = systemClock, random = Math.random, attempts = 4 }: Partial<MirrorOptions>): Retries {
  return { attempts, clock, random }
}

/** What is done at one mirror. Its failures are its own. */
interface MirrorWork {
  fill(signal: AbortSignal): Promise<void>
  isFilled(): boolean
  move(signal: AbortSignal): Promise<void>
  report(): MirrorReport
}

function openWork(
  target: PushTarget,
  given: { readonly release: Release; readonly by: ReleaseTrust; readonly options: FillOptions },
): MirrorWork {
  const count = { copiedFiles: 0, copiedBytes: 0, keptFiles: 0 }
  let state: MirrorState | undefined
  let trouble: MirrorReport['trouble']
  const onFile = (file: FilledFile): void => {
    count.copiedFiles += file.isCopied ? 1 : 0
    count.copiedBytes += file.isCopied ? file.sizeBytes : 0
    count.keptFiles += file.isCopied ? 0 : 1
    given.options.onFile?.(file)
  }
  const work = { ...given, options: { ...given.options, onFile } }
  const guarded = async (step: () => Promise<MirrorState>): Promise<void> => {
    try {
      state = await step()
    } catch (error) {
      if (!(error instanceof FileTrouble)) throw error
      state = 'failed'
      trouble = { file: error.path, failure: error.cause.failure, words: wordsOf(error.cause.cause) }
    }
  }
  const isFilled = (): boolean => state !== undefined && state !== 'failed'
  return {
    isFilled,
    fill: (signal) =>
      guarded(async () => {
        const wasCurrent = await isCurrent(target, work, signal)
        await requireOneChain(target, given.release.updates, work.options, signal)
        await fillTarget(target, given.release.stages, work.options, signal)
        return wasCurrent ? 'current' : 'held'
      }),
    async move(signal) {
      if (isFilled()) await guarded(async () => ((await moveCatalogue(target, work, signal)) ? 'moved' : 'current'))
    },
    report: () => ({ place: target.place, state: state ?? 'failed', ...count, trouble }),
  }
}

/** Nothing goes on when this ends. @throws the first rejection */
async function all(works: readonly Promise<void>[]): Promise<void> {
  for (const end of await Promise.allSettled(works)) if (end.status === 'rejected') throw end.reason
}

/** A folder cannot be its own mirror. */
export async function requireOther(site: string, targets: readonly PushTarget[]): Promise<void> {
  const real = (path: string): Promise<string> => realpath(path).catch(() => path) // not there yet
  const own = await real(site)
  for (const { place } of targets) if ((await real(place)) === own) throw invalid(place, 'is the site itself')
}

function invalid(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail })
}
