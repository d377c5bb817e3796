import { DeliveryError, type DocumentKind } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { JsonField, type Complaints } from './json-field.ts'
import { fitsUtf8 } from './utf8-size.ts'

/** How one kind of document complains. */
export interface DocumentRules {
  readonly document: DocumentKind
  readonly limitBytes: number
  /** Turns a complaint about the value at `path` into the error of this document. Default: `format-invalid`. */
  readonly refuse?: Complaints['refuse']
}

/** How one kind of message complains: one error for whatever is wrong with it, its size and its version included. */
export interface MessageRules {
  readonly limitBytes: number
  readonly refuse: Complaints['refuse']
}

/**
 * Opens attacker-controlled JSON: size, UTF-8, depth, syntax, in this order. No field has been looked at yet.
 * @throws {DeliveryError} `format-oversized`, or what `rules.refuse` makes
 */
export function openJson(bytes: Uint8Array, rules: DocumentRules): JsonField {
  const { document, limitBytes } = rules
  if (bytes.length > limitBytes) throw new DeliveryError({ code: 'format-oversized', document, limitBytes })
  const complaints = documentComplaints(document, rules.refuse)
  return openText(decodeText(bytes, complaints), complaints)
}

/** As `openJson`, for a message that is text already. @throws {DeliveryError} what `rules.refuse` makes, and nothing else */
export function openJsonText(text: string, rules: MessageRules): JsonField {
  const { limitBytes, refuse } = rules
  if (!fitsUtf8(text, limitBytes)) throw refuse('$', `expected at most ${limitBytes} bytes`)
  return openText(text, { refuse, unsupported: refuse })
}

/** `format-unsupported` for what a later version may allow, and `refuse`, by default `format-invalid`, for anything else. */
export function documentComplaints(document: DocumentKind, refuse?: Complaints['refuse']): Complaints {
  return {
    refuse: refuse ?? ((path, detail) => new DeliveryError({ code: 'format-invalid', document, path, detail })),
    unsupported: (path, detail) => new DeliveryError({ code: 'format-unsupported', document, detail: `${path}: ${detail}` }),
  }
}

/** JSON as UTF-8; members that are undefined are left out. */
export function encodeJson(value: object): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value))
}

function openText(text: string, complaints: Complaints): JsonField {
  if (isDeeperThan(text, LIMITS.jsonDepth)) throw complaints.refuse('$', `expected at most ${LIMITS.jsonDepth} levels`)
  return new JsonField(parseText(text, complaints), complaints)
}

function decodeText(bytes: Uint8Array, { refuse }: Complaints): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    // The decoder knows no more than that.
    throw refuse('$', 'expected UTF-8')
  }
}

function parseText(text: string, { refuse }: Complaints): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // No cause: the parser's own message quotes what was sent, which may be a ticket, and ends up in a log.
    throw refuse('$', 'expected JSON')
  }
}

/** Counts brackets outside strings, before a recursive parser sees them. Exact for valid JSON, which is all that matters. */
function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0
  let isInString = false
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i)
    if (isInString) {
      if (character === BACKSLASH) i++
      else if (character === QUOTE) isInString = false
    } else if (character === QUOTE) isInString = true
    else if (character === OPEN_BRACKET || character === OPEN_BRACE) {
      if (++depth > limit) return true
    } else if (character === CLOSE_BRACKET || character === CLOSE_BRACE) depth--
  }
  return false
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
