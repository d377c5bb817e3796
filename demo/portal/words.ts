/** Facts in plain words. Pure: nothing here looks at the page. */

import type { Failure, PieceSpan } from 'sealift/page'

/** Who a piece came from, as the page colours it: an HTTP source by its id, all peers together. */
export function sourceKey(source: string, tier: PieceSpan['tier']): string {
  return tier === 'mesh' ? 'mesh' : source
}

const NAMES: Readonly<Record<string, string>> = {
  'cdn-1': 'CDN 1',
  'cdn-2': 'CDN 2',
  gateway: 'LAN gateway',
  mesh: 'peers',
  portal: 'portal',
  signaling: 'signaling',
  kept: 'kept from an earlier visit',
}

export function sourceName(key: string): string {
  return NAMES[key] ?? key
}

/** What some failures mean, whatever their details. */
const TROUBLES: Readonly<Partial<Record<Failure['code'], string>>> = {
  'source-length': 'broke off',
  'source-missing': 'does not have it',
  'blob-mismatch': 'sent wrong bytes, which were thrown away',
  'peer-timeout': 'fell silent',
  'peer-closed': 'left',
}

/** What is wrong with a source, as the start of a sentence. */
export function troubleWords(key: string, failure: Failure): string {
  const name = capital(key === 'mesh' ? 'a peer' : sourceName(key))
  switch (failure.code) {
    case 'source-unreachable':
      return `${name} ${failure.phase === 'body' ? 'broke off' : 'does not answer'}`
    case 'source-timeout':
      return `${name} ${failure.phase === 'slow' ? 'became too slow' : 'fell silent'}`
    case 'source-status':
      return `${name} answered with an error (${failure.status})`
    case 'digest-mismatch':
      return `${name} sent wrong bytes for piece ${failure.piece + 1}, which were thrown away`
    default:
      return `${name} ${TROUBLES[failure.code] ?? `failed (${failure.code})`}`
  }
}

const BROKEN_SIGNATURE = 'Refused: the signature does not hold.'
const OTHER_FILE = 'Refused: it is not the file that was signed.'

const REFUSALS: Readonly<Partial<Record<Failure['code'], string>>> = {
  'sources-exhausted': 'No source is left that has the missing pieces.',
  'catalogue-unavailable': 'No source has the signed catalogue.',
  'blob-unavailable': 'No source has the manifest or a signature.',
  'signature-invalid': BROKEN_SIGNATURE,
  'bundle-invalid': BROKEN_SIGNATURE,
  'subject-mismatch': BROKEN_SIGNATURE,
  'identity-mismatch': 'Refused: somebody else signed it.',
  'artifact-digest': OTHER_FILE,
  'artifact-size': OTHER_FILE,
  'manifest-mismatch': OTHER_FILE,
  'artifact-denied': 'Refused: the publisher withdrew it.',
  'quota-exceeded': 'There is not enough room on this machine.',
}

/** Why a download ended without a file. */
export function refusalWords(code: Failure['code']): string {
  return REFUSALS[code] ?? `It did not work (${code}).`
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(0)} KiB`
  return `${(bytes / (1024 * 1024)).toFixed(1)} MiB`
}

export function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

/** Below this a person sees no gap. */
const AT_ONCE_MS = 100

export function delayWords(ms: number): string {
  return ms < AT_ONCE_MS ? 'at once' : `${formatSeconds(ms)} later`
}

export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })
}

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

/** `a`, `a and b`, `a, b and c`. */
export function listWords(words: readonly string[]): string {
  const last = words.at(-1)
  return words.length < 2 || last === undefined ? words.join('') : `${words.slice(0, -1).join(', ')} and ${last}`
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
