import { collectBytes } from '../core/collect-bytes.ts'
import type { Sha256 } from '../core/model/ids.ts'
import type { Clock, HashedContent, Hasher } from '../core/ports.ts'
import type { HashEngineEnd } from './hash-message.ts'
import { openHashThread } from './hash-thread.ts'
import { digestByScript, digestPiece } from './script-hasher.ts'
import { ThreadLost } from './thread-line.ts'

/** What is at most so large WebCrypto digests as one: sooner done than handed over. */
const ONE_GO_BYTES = 1024 * 1024

/**
 * SHA-256 by WebCrypto for pieces, which it does several times faster than anything else. It cannot stream, so whole artifacts go through
 * WebAssembly, on a thread of their own (it takes longer than all else together), and through script on this one where that is not to be had.
 */
export function createHasher(startThread: () => HashEngineEnd, clock: Clock): Hasher {
  const thread = openHashThread(startThread, clock)
  return {
    digest: digestPiece,
    async digestStream(content) {
      if (content.sizeBytes <= ONE_GO_BYTES) return await digestInOneGo(content)
      if (!(await thread.isReady())) return await digestByScript(content)
      try {
        return await thread.digest(content.chunks)
      } catch (error) {
        if (!(error instanceof ThreadLost)) throw error
        return await digestByScript(content)
      }
    },
  }
}

async function digestInOneGo({ sizeBytes, chunks }: HashedContent): Promise<Sha256> {
  const tooLong = (): RangeError => new RangeError(`expected ${sizeBytes} bytes, got more`)
  return await digestPiece(
    await collectBytes(
      chunks(() => undefined),
      sizeBytes,
      tooLong,
    ),
  )
}
