import { DeliveryError } from '../core/errors.ts'
import { writeFileDurably } from '../node/durable-file.ts'

/** Writes a file that the command line names, for everybody to read, in one step. @throws {DeliveryError} `input-invalid` when it cannot be written */
export async function writeOutput(path: string, text: string): Promise<void> {
  try {
    await writeFileDurably(path, text, { mode: 0o644 })
  } catch (error) {
    throw new DeliveryError({ code: 'input-invalid', path, detail: 'cannot be written' }, { cause: error })
  }
}
