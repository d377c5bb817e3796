import { createHash } from 'node:crypto'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import { parseEnvelope, TRUST_UPDATE } from '../../core/manifest/parse-envelope.ts'
import { LIMITS } from '../../core/limits.ts'
import type { BlobRef } from '../../core/model/artifact.ts'
import { toSha256, toSourceId } from '../../core/model/ids.ts'
import { inParallel } from '../in-parallel.ts'
import type { OutgoingFile, PushTarget } from './push-target.ts'
import { retried, type Retries } from './retries.ts'

export interface FillOptions {
  /** Hash what a mirror has already; else its size is enough. */
  readonly isDeep: boolean
  readonly retries: Retries
  readonly onFile?: ((file: FilledFile) => void) | undefined
}

/** A file that a mirror is now known to hold. */
export interface FilledFile {
  readonly place: string
  readonly path: string
  readonly sizeBytes: number
  /** False when it was there. */
  readonly isCopied: boolean
}

/** Which file of a mirror something failed at. */
export class FileTrouble extends Error {
  override readonly name = 'FileTrouble'
  readonly path: string
  override readonly cause: DeliveryError

  constructor(path: string, cause: DeliveryError) {
    super(`${path}: ${cause.message}`)
    this.path = path
    this.cause = cause
  }
}

const FILES_AT_ONCE = 4

/**
 * Brings a mirror to hold every file of each stage, one stage after the other. What is right already stays; what is written is read back.
 * @throws {FileTrouble} at the first file that cannot be made right
 */
export async function fillTarget(
  target: PushTarget,
  stages: readonly (readonly OutgoingFile[])[],
  options: FillOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const files of stages) {
    await inParallel(files, FILES_AT_ONCE, async (file) => {
      const isCopied = await placeFile(target, file, options, signal)
      options.onFile?.({ place: target.place, path: file.path, sizeBytes: file.sizeBytes, isCopied })
    })
  }
}

/** Whether a mirror would take these trust updates. Writes nothing. @throws {FileTrouble} `publish-conflict` where it has others */
export async function requireOneChain(
  target: PushTarget,
  updates: readonly OutgoingFile[],
  { retries, isDeep }: FillOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const file of updates) await named(file.path, () => retried(() => isHeld(target, file, isDeep, signal), retries, signal))
}

/** True when it had to be written. @throws {FileTrouble} */
async function placeFile(target: PushTarget, file: OutgoingFile, options: FillOptions, signal: AbortSignal): Promise<boolean> {
  const { retries, isDeep } = options
  signal.throwIfAborted()
  return await named(file.path, async () => {
    if (await retried(() => isHeld(target, file, isDeep, signal), retries, signal)) return false
    await retried(() => writeChecked(target, file, signal), retries, signal)
    return true
  })
}

/** Says which file it was that something failed at. @throws {FileTrouble} */
export async function named<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof DeliveryError ? new FileTrouble(path, error) : error
  }
}

async function isHeld(target: PushTarget, file: OutgoingFile, isDeep: boolean, signal: AbortSignal): Promise<boolean> {
  const isUpdate = file.path.startsWith('trust/')
  if (!isDeep && !isUpdate) {
    const size = await target.sizeOf(file.path, signal)
    if (size !== 'unknown') return size === file.sizeBytes
  }
  const found = await digestOf(target, file, signal)
  const isRight = found?.sha256 === file.sha256
  if (isUpdate && !isRight && found !== undefined) await requireReplaceable(target, file, signal)
  return isRight
}

/** Once, and whatever is there already. @throws {DeliveryError} also when it does not give back what it was given */
export async function writeChecked(target: PushTarget, file: OutgoingFile, signal: AbortSignal): Promise<void> {
  await target.write(file, signal)
  const source = toSourceId(target.place.slice(0, 200))
  const found = await digestOf(target, file, signal)
  if (found === undefined) throw new DeliveryError({ code: 'source-missing', source })
  if (found.sizeBytes !== file.sizeBytes)
    throw new DeliveryError({ code: 'source-length', source, expectedBytes: file.sizeBytes, actualBytes: found.sizeBytes })
  if (found.sha256 !== file.sha256) throw new DeliveryError({ code: 'blob-mismatch', source, expected: file.sha256, actual: found.sha256 })
}

/** What a mirror gives back under a name; undefined when it has nothing. Of something too long, no more than shows that. */
export async function digestOf(
  target: PushTarget,
  { path, sizeBytes: limit }: OutgoingFile,
  signal: AbortSignal,
): Promise<BlobRef | undefined> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  try {
    for await (const chunk of target.read(path, signal)) {
      hash.update(chunk)
      sizeBytes += chunk.length
      if (sizeBytes > limit) break
    }
  } catch (error) {
    if (failureOf(error)?.code === 'source-missing') return undefined
    throw error
  }
  return { sha256: toSha256(hash.digest('hex')), sizeBytes }
}

/** A damaged trust update is replaced. Another update of the same number is another chain, which none of ours may cover up. */
async function requireReplaceable(target: PushTarget, { path }: OutgoingFile, signal: AbortSignal): Promise<void> {
  const bytes = await readWhole(target, path, LIMITS.trustUpdateBytes, signal)
  try {
    parseEnvelope(bytes ?? new Uint8Array(), TRUST_UPDATE)
  } catch (error) {
    if (error instanceof DeliveryError) return
    throw error
  }
  const detail = `${target.place} has another update of this number; look into who made it before you move it away`
  throw new DeliveryError({ code: 'publish-conflict', name: path, detail })
}

/** A small file; undefined when there is none. Of what is longer, no more than shows that. */
export async function readWhole(
  target: PushTarget,
  path: string,
  limitBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of target.read(path, signal)) {
      chunks.push(chunk)
      length += chunk.length
      if (length > limitBytes) break
    }
  } catch (error) {
    if (failureOf(error)?.code === 'source-missing') return undefined
    throw error
  }
  return Buffer.concat(chunks)
}
