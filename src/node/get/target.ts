import { opendir, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import { errorCode } from '../durable-file.ts'
import type { PartPlace } from './part-backing.ts'

/** Of a digest in a name: enough that no two artifacts of one name meet. */
const DIGITS = 16
const UNFINISHED = /^(?:part|state)(?:-[0-9a-f]{16})?$/

/** Where a download goes. Nothing stands under `file` before all of it is verified. */
export interface Target extends PartPlace {
  /** The unfinished file, in the same folder, so that one rename makes it the finished one. */
  readonly file: string
  readonly journal: string
  /** Of whoever is fetching it. */
  readonly lock: string
  /** The finished file. */
  readonly finished: string
}

/** What `--out` says: a folder, in which the file has the name that it was published under, or a file. */
export interface Output {
  /** Absolute. */
  readonly folder: string
  /** Undefined: the published one. */
  readonly filename: string | undefined
}

/** @throws {DeliveryError} `input-invalid` for a folder that is not there, or what is neither a folder nor a file */
export async function readOutput(out: string | undefined): Promise<Output> {
  const path = resolve(out ?? '.')
  const found = await kindOf(path)
  if (found === 'folder') return { folder: path, filename: undefined }
  const refuse = (detail: string): DeliveryError => new DeliveryError({ code: 'input-invalid', path, detail })
  if (found === 'other') throw refuse('is neither a file nor a folder')
  if (out?.endsWith('/') === true || out?.endsWith(sep) === true) throw refuse('there is no such folder')
  const folder = dirname(path)
  if ((await kindOf(folder)) !== 'folder') throw refuse('there is no such folder')
  return { folder, filename: basename(path) }
}

async function kindOf(path: string): Promise<'folder' | 'file' | 'other' | undefined> {
  try {
    const found = await stat(path)
    return found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'other'
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined
    throw new DeliveryError({ code: 'input-invalid', path, detail: 'cannot be looked at' }, { cause: error })
  }
}

/**
 * Where the bytes with this digest go. The unfinished ones are apart by digest, so that a process that lost its lock without noticing, as after a
 * long sleep, cannot write into what another is filling with something else; the lock is one for the name.
 */
export function targetOf({ folder, filename }: Output, published: string, sha256: Sha256): Target {
  const name = filename ?? published
  const beside = (what: string): string => join(folder, `.${name}.sealift-${what}`)
  const digest = sha256.slice(0, DIGITS)
  return { finished: join(folder, name), file: beside(`part-${digest}`), journal: beside(`state-${digest}`), lock: beside('lock') }
}

/** Removes what downloads of other bytes under this name left. For whoever has its lock. */
export async function removeLeftovers({ finished, file, journal }: Target): Promise<void> {
  const [folder, start] = [dirname(finished), `.${basename(finished)}.sealift-`]
  const ours = [basename(file), basename(journal)]
  for await (const { name } of await opendir(folder)) {
    if (!name.startsWith(start) || !UNFINISHED.test(name.slice(start.length)) || ours.includes(name)) continue
    await rm(join(folder, name), { force: true })
  }
}
