import { DeliveryError } from '../core/errors.ts'
import { splitJsonTexts } from '../core/json/json-texts.ts'

/**
 * A `trusted_root.json`, or one root on each line, as `gh attestation trusted-root` writes: then a list. What the roots say is not looked at.
 * @throws {DeliveryError} `format-invalid`
 */
export function openTrustedRoot(text: string): unknown {
  try {
    const [first, ...others] = splitJsonTexts(text).map((root): unknown => JSON.parse(root))
    return others.length === 0 ? first : [first, ...others]
  } catch {
    // No cause: the parser's message quotes the file, and a person may have named the one with the key.
    throw new DeliveryError({ code: 'format-invalid', document: 'trusted-root', path: '', detail: 'neither JSON nor JSON Lines' })
  }
}
