import { LIMITS } from '../limits.ts'

/** Makes the error for a field that is not what it should be. */
export type Refuse = (path: string, detail: string) => Error

/** An object somebody sent, read field by field. Unknown fields are ignored; a wrong one throws what `Refuse` makes. */
export interface JsonFields {
  /** True when the field is there, whatever it holds. */
  has(name: string): boolean
  /** True when the field is there and holds `null`. */
  isNull(name: string): boolean
  /** At most `maxBytes` of UTF-8. */
  text(name: string, maxBytes: number): string
  /** A text that `check` accepts. Lengths are the check's business. */
  checked<T extends string>(name: string, check: (value: unknown) => value is T): T
  oneOf<T extends string>(name: string, allowed: readonly T[]): T
  /** A whole number, both ends included. */
  integer(name: string, min: number, max: number): number
  flag(name: string): boolean
  object(name: string): JsonFields
  /** At most `maxItems` objects. */
  objects<T>(name: string, maxItems: number, read: (item: JsonFields) => T): readonly T[]
  /** What `read` makes of the field, or undefined when it is absent. */
  optional<T>(name: string, read: (name: string) => T): T | undefined
}

/** Opens one JSON object of at most `maxBytes`, nested no deeper than `LIMITS.jsonDepth`. Throws only what `refuse` makes. */
export function parseJsonFields(text: string, maxBytes: number, refuse: Refuse): JsonFields {
  if (!fits(text, maxBytes)) throw refuse('', `longer than ${maxBytes} bytes`)
  if (depthOf(text) > LIMITS.jsonDepth) throw refuse('', `nested deeper than ${LIMITS.jsonDepth}`)
  return readFields(parseJson(text, refuse), '', refuse)
}

/** True when `text` takes at most `maxBytes` as UTF-8. Encodes only what cannot be told from its length. */
export function fits(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return false
  return text.length * 3 <= maxBytes || new TextEncoder().encode(text).length <= maxBytes
}

function parseJson(text: string, refuse: Refuse): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes what was sent, and a log must not.
    throw refuse('', 'not JSON')
  }
}

function readFields(value: unknown, path: string, refuse: Refuse): JsonFields {
  if (!isRecord(value)) throw refuse(path, 'expected an object')
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`)
  const get = (name: string): unknown => (Object.hasOwn(value, name) ? value[name] : undefined)
  const fail = (name: string, expected: string): Error => refuse(at(name), get(name) === undefined ? 'missing' : `expected ${expected}`)

  const fields: JsonFields = {
    has: (name) => get(name) !== undefined,
    isNull: (name) => get(name) === null,
    text(name, maxBytes) {
      const found = get(name)
      if (typeof found !== 'string' || !fits(found, maxBytes)) throw fail(name, `a text of at most ${maxBytes} bytes`)
      return found
    },
    checked(name, check) {
      const found = get(name)
      if (!check(found)) throw fail(name, 'another form')
      return found
    },
    oneOf(name, allowed) {
      const found = allowed.find((one) => one === get(name))
      if (found === undefined) throw fail(name, `one of ${allowed.join(', ')}`)
      return found
    },
    integer(name, min, max) {
      const found = get(name)
      if (typeof found !== 'number' || !Number.isSafeInteger(found) || found < min || found > max)
        throw fail(name, `a whole number from ${min} to ${max}`)
      return found
    },
    flag(name) {
      const found = get(name)
      if (typeof found !== 'boolean') throw fail(name, 'true or false')
      return found
    },
    object: (name) => readFields(get(name), at(name), refuse),
    objects(name, maxItems, read) {
      const found = get(name)
      if (!Array.isArray(found) || found.length > maxItems) throw fail(name, `a list of at most ${maxItems}`)
      return found.map((item: unknown, i) => read(readFields(item, `${at(name)}[${i}]`, refuse)))
    },
    optional: (name, read) => (get(name) === undefined ? undefined : read(name)),
  }
  return fields
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Brackets outside strings. Exact for JSON, harmless for anything else. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let isInString = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (isInString) {
      if (c === 0x5c) i++
      else if (c === 0x22) isInString = false
    } else if (c === 0x22) isInString = true
    else if (c === 0x7b || c === 0x5b) deepest = Math.max(deepest, ++depth)
    else if (c === 0x7d || c === 0x5d) depth--
  }
  return deepest
}
