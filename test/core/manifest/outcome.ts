import { DeliveryError, type Failure } from '../../../src/core/errors.ts'

/** The failure that `act` ends in, or undefined when it succeeds. Anything but a `DeliveryError` is thrown on. */
export function failureFrom(act: () => unknown): Failure | undefined {
  return errorFrom(act)?.failure
}

/** As `failureFrom`, whole: with what it was caused by. */
export function errorFrom(act: () => unknown): DeliveryError | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    if (error instanceof DeliveryError) return error
    throw error
  }
}

/** A JSON document with one member set, by a path such as `artifacts.0.manifest.sha256`. Undefined takes it out. */
export function withMember(document: Uint8Array, path: string, value: unknown): Uint8Array {
  const root: unknown = JSON.parse(new TextDecoder().decode(document))
  const names = path.split('.')
  const last = names.pop() ?? ''
  let at: unknown = root
  for (const name of names) at = typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined
  if (typeof at !== 'object' || at === null) throw new RangeError(`no member ${path}`)
  if (value === undefined) Reflect.deleteProperty(at, last)
  else Object.defineProperty(at, last, { value, enumerable: true, configurable: true, writable: true })
  return new TextEncoder().encode(JSON.stringify(root))
}

/** Every path in a JSON value, deepest last. */
export function memberPaths(value: unknown, prefix = ''): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => [`${prefix}${name}`, ...memberPaths(member, `${prefix}${name}.`)])
}
