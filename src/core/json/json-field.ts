import type { DeliveryError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { fitsUtf8 } from './utf8-size.ts'

/** Makes the errors of one kind of document. A path is `$` for the whole, then `artifacts[3].manifest.sha256`. */
export interface Complaints {
  readonly refuse: (path: string, detail: string) => DeliveryError
  /** For what a later version may allow. */
  readonly unsupported: (path: string, detail: string) => DeliveryError
}

/** Reads a member of an object by its name. An absent member is a field too; it complains when it is read as something. */
export type MemberReader<Name extends string> = (name: Name) => JsonField

/**
 * One value of a foreign document, and where it stands. Each method looks and returns typed data, or throws with the path.
 * A class, because a full catalogue holds some 100,000 of them. The path is put together when something is wrong, since
 * a signaling server reads thousands of good messages in a second.
 */
export class JsonField {
  readonly #value: unknown
  readonly #complaints: Complaints
  readonly #parent: JsonField | undefined
  readonly #key: string | number

  /** @param key name in `parent`, or place in its list; a field without a parent is the document */
  constructor(value: unknown, complaints: Complaints, parent?: JsonField, key: string | number = '$') {
    this.#value = value
    this.#complaints = complaints
    this.#parent = parent
    this.#key = key
  }

  /** `null` counts as absent. */
  get isAbsent(): boolean {
    return this.#value === undefined || this.#value === null
  }

  /**
   * Opens an object. Members not named in `known` are ignored, unless the object's own `critical` list names them:
   * that is how a later version says that it must not be read without them.
   * @throws {DeliveryError} as `unsupported`, naming the member
   */
  object<Name extends string>(known: readonly Name[]): MemberReader<Name> {
    const value = this.#value
    if (!isRecord(value)) throw this.refuse('expected an object')
    const member = (name: string): JsonField =>
      new JsonField(Object.hasOwn(value, name) ? value[name] : undefined, this.#complaints, this, name)
    if (Object.hasOwn(value, 'critical')) requireKnown(member('critical'), known)
    return member
  }

  /** @throws {DeliveryError} when there are more than `limit` items, before any is looked at */
  list(limit: number): readonly JsonField[] {
    const value: unknown = this.#value
    if (!Array.isArray(value)) throw this.refuse('expected a list')
    if (value.length > limit) throw this.refuse(`expected at most ${limit} items, got ${value.length}`)
    const fields: JsonField[] = []
    // Not `map`: a list that came over a port may have holes, which `map` leaves unread.
    for (let i = 0; i < value.length; i++) fields.push(new JsonField(value[i], this.#complaints, this, i))
    return fields
  }

  /** Undefined when absent, else what `read` makes of it. */
  optional<T>(read: (field: JsonField) => T): T | undefined {
    return this.isAbsent ? undefined : read(this)
  }

  text(limitCharacters: number = LIMITS.textCharacters): string {
    const value = this.#value
    if (typeof value !== 'string') throw this.refuse('expected text')
    if (value.length > limitCharacters) throw this.refuse(`expected at most ${limitCharacters} characters, got ${value.length}`)
    return value
  }

  /** Text that takes at most so many bytes as UTF-8. */
  textOfBytes(limitBytes: number): string {
    const value = this.#value
    if (typeof value !== 'string') throw this.refuse('expected text')
    if (!fitsUtf8(value, limitBytes)) throw this.refuse(`expected at most ${limitBytes} bytes`)
    return value
  }

  /** Text that passes a checker of ours. */
  checked<T extends string>(isValid: (text: unknown) => text is T, expected: string): T {
    const value = this.#value
    if (!isValid(value)) throw this.refuse(`expected ${expected}`)
    return value
  }

  oneOf<const T extends string>(allowed: readonly T[]): T {
    const found = allowed.find((candidate) => candidate === this.#value)
    if (found === undefined) throw this.refuse(`expected one of ${allowed.join(', ')}`)
    return found
  }

  /** A whole number that a double holds exactly. Both ends are allowed. */
  integer(min: number, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#value
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw this.refuse(`expected a whole number from ${min} to ${max}`)
    }
    return value === 0 ? 0 : value
  }

  /** Any number but infinity and NaN, which JSON cannot carry. */
  number(): number {
    const value = this.#value
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.refuse('expected a number')
    return value === 0 ? 0 : value
  }

  boolean(): boolean {
    const value = this.#value
    if (typeof value !== 'boolean') throw this.refuse('expected true or false')
    return value
  }

  /** The value as it came, for telling kinds apart. Whoever peeks must still read it through a checker. */
  peek(): unknown {
    return this.#value
  }

  /** The value unread, for a document that another parser knows (a Sigstore bundle, a trusted root). Always an object. */
  foreignObject(): object {
    const value = this.#value
    if (!isRecord(value)) throw this.refuse('expected an object')
    return value
  }

  /** `schema` of a document. @throws {DeliveryError} as `unsupported` for any whole number but `supported` */
  schema<const T extends number>(supported: T): T {
    const found = this.integer(0)
    if (found !== supported) throw this.unsupported(`schema ${found}, and this version reads schema ${supported}`)
    return supported
  }

  /** The error that says what is wrong with this value. The caller throws it. */
  refuse(detail: string): DeliveryError {
    return this.#complaints.refuse(this.#path(), detail)
  }

  /** The error for what a later version may allow. The caller throws it. */
  unsupported(detail: string): DeliveryError {
    return this.#complaints.unsupported(this.#path(), detail)
  }

  #path(): string {
    if (this.#parent === undefined) return '$'
    const above = this.#parent.#path()
    if (typeof this.#key === 'number') return `${above}[${this.#key}]`
    return above === '$' ? this.#key : `${above}.${this.#key}`
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const CRITICAL_MEMBERS_MAX = 64

function requireKnown(critical: JsonField, known: readonly string[]): void {
  for (const item of critical.list(CRITICAL_MEMBERS_MAX)) {
    const name = item.text(100)
    if (!known.includes(name)) throw critical.unsupported(`needs ${JSON.stringify(name)}, which this version does not know`)
  }
}
