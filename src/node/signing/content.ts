import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { sha256Of } from '../../core/verify/digest.ts'
import { toSha256, type Sha256 } from '../../core/model/ids.ts'
import { cannotRead } from '../input-file.ts'

/** Something to sign, which may be larger than memory: it can be read again and again, from its start. */
export interface Content {
  readonly sha256: Sha256
  /** @param signal stops the reading; the iterator then throws `signal.reason` */
  chunks(signal: AbortSignal): AsyncIterable<Uint8Array>
}

/** Bytes that are in memory already. */
export function contentOfBytes(bytes: Uint8Array): Content {
  return {
    sha256: sha256Of(bytes),
    async *chunks(signal) {
      signal.throwIfAborted()
      yield bytes
    },
  }
}

/** A file whose digest is known. Whoever reads it must not trust that it is still the same file. */
export function contentOfFile(path: string, sha256: Sha256): Content {
  return { sha256, chunks: (signal) => readChunks(path, signal) }
}

/**
 * Reads a file from start to end in chunks of 1 MiB, so that memory does not grow with the file.
 * @throws {DeliveryError} `input-invalid` when it cannot be read
 */
export async function* readChunks(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted()
  const stream = createReadStream(path, { highWaterMark: 1 << 20 })
  try {
    for await (const chunk of stream) {
      signal.throwIfAborted()
      if (chunk instanceof Uint8Array) yield chunk
    }
  } catch (error) {
    signal.throwIfAborted()
    throw cannotRead(path, error)
  } finally {
    stream.destroy()
  }
}

/** SHA-256 of a file of any size. */
export async function sha256OfFile(path: string, signal: AbortSignal): Promise<{ readonly sha256: Sha256; readonly sizeBytes: number }> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const chunk of readChunks(path, signal)) {
    hash.update(chunk)
    sizeBytes += chunk.length
  }
  return { sha256: toSha256(hash.digest('hex')), sizeBytes }
}
