import { DeliveryError, type DocumentKind } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { JsonField } from './json-field.ts'

/** How one kind of document complains. */
export interface JsonRules {
  readonly document: DocumentKind
  readonly limitBytes: number
  /** Turns a complaint about the value at `path` into the error of this document. Default: `format-invalid`. */
  readonly refuse?: (path: string, detail: string, cause?: unknown) => DeliveryError
}

/**
 * Opens attacker-controlled JSON: size, UTF-8, depth, syntax, in this order. No field has been looked at yet.
 * @throws {DeliveryError} `format-oversized`, or what `rules.refuse` makes
 */
export function openJson(bytes: Uint8Array, rules: JsonRules): JsonField {
  const { document, limitBytes } = rules
  if (bytes.length > limitBytes) throw new DeliveryError({ code: 'format-oversized', document, limitBytes })
  const refuse = rules.refuse ?? ((path: string, detail: string, cause?: unknown) => formatInvalid({ document, path, detail, cause }))
  const text = decodeText(bytes, refuse)
  if (isDeeperThan(text, LIMITS.jsonDepth)) throw refuse('$', `expected at most ${LIMITS.jsonDepth} levels`)
  return new JsonField(parseText(text, refuse), { path: '$', document, refuse })
}

/** JSON as UTF-8; members that are undefined are left out. */
export function encodeJson(value: object): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value))
}

type Refuse = (path: string, detail: string, cause?: unknown) => DeliveryError

function formatInvalid(at: {
  readonly document: DocumentKind
  readonly path: string
  readonly detail: string
  readonly cause: unknown
}): DeliveryError {
  const { cause, ...where } = at
  return new DeliveryError({ code: 'format-invalid', ...where }, cause === undefined ? undefined : { cause })
}

function decodeText(bytes: Uint8Array, refuse: Refuse): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw refuse('$', 'expected UTF-8', cause)
  }
}

function parseText(text: string, refuse: Refuse): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw refuse('$', 'expected JSON', cause)
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
