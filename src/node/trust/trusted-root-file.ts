import { readFile } from 'node:fs/promises'
import { DeliveryError } from '../../core/errors.ts'
import { readInput } from '../input-file.ts'

/**
 * A `trusted_root.json`, or a file with one root on each line, as `gh attestation trusted-root` writes: then a list.
 * @throws {DeliveryError} `input-invalid`
 */
export async function readTrustedRoot(path: string): Promise<unknown> {
  const text = await readInput(path, (file) => readFile(file, 'utf8'))
  const whole = parseJson(text)
  if (whole !== undefined) return whole
  const roots = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseJson)
  // No cause: the parser's message quotes the file, and a person may have named the one with the key.
  if (roots.includes(undefined)) throw new DeliveryError({ code: 'input-invalid', path, detail: 'is neither JSON nor JSON Lines' })
  return roots
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not one document: the caller tries lines, or says so.
    return undefined
  }
}
