import { LIMITS } from '../limits.ts'

/** Path separators, what Windows forbids, control and format characters (right-to-left overrides among them), lone surrogates, and letters that nobody sees. */
const FORBIDDEN = /[/\\:*?"<>|\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u034F\u115F\u1160\u2065\u3164\uFFA0\uFFF0-\uFFF8\u{E0000}-\u{E0FFF}]/u
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|$)/i

/**
 * True for a name that is one plain file in any folder of Linux, macOS and Windows: no path, no control or bidirectional
 * override character, no device name (`con`, `com1.txt`), no dot or blank at its start, none at its end.
 */
export function isFilename(text: unknown): text is string {
  if (typeof text !== 'string' || text.length === 0 || text.length > LIMITS.filenameCharacters) return false
  return !FORBIDDEN.test(text) && !DEVICE.test(text) && !/^[. ]|[. ]$/.test(text)
}
