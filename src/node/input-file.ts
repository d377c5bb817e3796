import { DeliveryError } from '../core/errors.ts'
import { errorCode } from './durable-file.ts'

/** `input-invalid` for a file that a person named and that cannot be read, with what the system said as its cause. */
export function cannotRead(path: string, cause: unknown): DeliveryError {
  const detail = errorCode(cause) === 'ENOENT' ? 'there is no such file' : 'cannot be read'
  return new DeliveryError({ code: 'input-invalid', path, detail }, { cause })
}

/** What `read` gives. @throws {DeliveryError} `input-invalid` naming the file, whatever `read` throws */
export async function readInput<T>(path: string, read: (path: string) => Promise<T>): Promise<T> {
  try {
    return await read(path)
  } catch (error) {
    throw cannotRead(path, error)
  }
}
