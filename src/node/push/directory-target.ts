import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import { toSourceId } from '../../core/model/ids.ts'
import { errorCode, writeChunksDurably } from '../durable-file.ts'
import { readChunks } from '../signing/content.ts'
import type { PushTarget } from './push-target.ts'
import { plainWords } from './words.ts'

const MODE = 0o644

/** A folder of this machine, or one that is mounted. Each file appears whole or not at all. */
export function directoryTarget(root: string): PushTarget {
  const source = toSourceId(root.slice(0, 200))
  const sizeOf: PushTarget['sizeOf'] = async (path, signal) => {
    signal.throwIfAborted()
    try {
      const found = await stat(join(root, path))
      return found.isFile() ? found.size : 'missing'
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return 'missing'
      throw refused(error)
    }
  }
  const refused = (error: unknown): unknown =>
    errorCode(error) === undefined || error instanceof DeliveryError
      ? error
      : new DeliveryError({ code: 'source-refused', source, detail: plainWords(String(error)), retryMs: undefined }, { cause: error })
  return {
    place: root,
    sizeOf,
    async *read(path, signal) {
      if ((await sizeOf(path, signal)) === 'missing') throw new DeliveryError({ code: 'source-missing', source })
      yield* readChunks(join(root, path), signal)
    },
    async write({ path, chunks }, signal) {
      signal.throwIfAborted()
      try {
        await writeChunksDurably(join(root, path), chunks(signal), { mode: MODE })
      } catch (error) {
        throw refused(error)
      }
    },
  }
}
