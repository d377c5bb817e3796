import { failureOf } from './errors.ts'

/** What a parser makes of bytes that were kept, or undefined when there are none or when it refuses them. */
export function readOrUndefined<T>(bytes: Uint8Array | undefined, read: (bytes: Uint8Array) => T): T | undefined {
  if (bytes === undefined) return undefined
  try {
    return read(bytes)
  } catch (error) {
    if (failureOf(error) === undefined) throw error
    return undefined
  }
}
