import { readFile } from 'node:fs/promises'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import { openTrustedRoot } from '../../trust/trusted-root-text.ts'
import { readInput } from '../input-file.ts'

/**
 * A `trusted_root.json`, or a file with one root on each line: then a list.
 * @throws {DeliveryError} `input-invalid`
 */
export async function readTrustedRoot(path: string): Promise<unknown> {
  const text = await readInput(path, (file) => readFile(file, 'utf8'))
  try {
    return openTrustedRoot(text)
  } catch (error) {
    if (failureOf(error) === undefined) throw error
    throw new DeliveryError({ code: 'input-invalid', path, detail: 'is neither JSON nor JSON Lines' }, { cause: error })
  }
}
