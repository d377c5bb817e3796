import { createHash } from 'node:crypto'
import { toSha256 } from '../../core/model/ids.ts'
import type { Hasher } from '../../core/ports.ts'

/** SHA-256 by the library that Node is built on: as fast as the processor is. */
export const nodeHasher: Hasher = {
  digest: async (bytes) => toSha256(createHash('sha256').update(bytes).digest('hex')),
  async digestStream({ chunks }) {
    const hash = createHash('sha256')
    let spare: ArrayBuffer | undefined
    for await (const bytes of chunks(() => spare)) {
      hash.update(bytes)
      spare = bytes.buffer
    }
    return toSha256(hash.digest('hex'))
  },
}
