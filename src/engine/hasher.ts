import type { Clock, HashedContent, Hasher } from '../core/ports.ts'
import type { EngineEnd } from './hash-message.ts'
import { HashThreadLost, openHashThread } from './hash-thread.ts'
import { digestByScript, digestPiece } from './script-hasher.ts'

/** What is at most so large WebCrypto digests as one: sooner done than handed over. */
const ONE_GO_BYTES = 1024 * 1024

/**
 * SHA-256 by WebCrypto for pieces, which it does several times faster than anything else. It cannot stream, so whole artifacts go through
 * WebAssembly, on a thread of their own (it takes longer than all else together), and through script on this one where that is not to be had.
 */
export function createHasher(startThread: () => EngineEnd, clock: Clock): Hasher {
  const thread = openHashThread(startThread, clock)
  return {
    digest: digestPiece,
    async digestStream(content) {
      if (content.sizeBytes <= ONE_GO_BYTES) return await digestPiece(await gather(content))
      if (!(await thread.isReady())) return await digestByScript(content)
      try {
        return await thread.digest(content.chunks)
      } catch (error) {
        if (!(error instanceof HashThreadLost)) throw error
        return await digestByScript(content)
      }
    },
  }
}

async function gather({ sizeBytes, chunks }: HashedContent): Promise<Uint8Array> {
  const whole = new Uint8Array(sizeBytes)
  let filled = 0
  for await (const bytes of chunks(() => undefined)) {
    whole.set(bytes, filled)
    filled += bytes.length
  }
  return whole.subarray(0, filled)
}
