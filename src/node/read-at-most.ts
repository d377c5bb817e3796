import type { FileHandle } from 'node:fs/promises'

/** The first bytes of a file, from its start: one more than `limitBytes` tells that it is longer, however long it became meanwhile. */
export async function readAtMost(handle: FileHandle, limitBytes: number): Promise<Buffer> {
  const { size } = await handle.stat()
  const bytes = Buffer.alloc(Math.min(size, limitBytes + 1))
  let done = 0
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return bytes.subarray(0, done)
}
