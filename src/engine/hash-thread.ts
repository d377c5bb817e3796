import type { Sha256 } from '../core/model/ids.ts'
import type { Clock, HashedContent } from '../core/ports.ts'
import type { HashAnswer, HashEngineEnd, HashQuestion } from './hash-message.ts'
import { openThreadLine, ThreadLost, type ThreadLine } from './thread-line.ts'

/** The engine's line to the thread that hashes whole artifacts. */
export interface HashThread extends Pick<ThreadLine<HashQuestion, HashAnswer>, 'isReady'> {
  /** @throws {ThreadLost} and whatever `chunks` throws */
  digest(chunks: HashedContent['chunks']): Promise<Sha256>
}

/** Bytes on their way to it. */
const AHEAD_BYTES = 4 * 1024 * 1024

export function openHashThread(start: () => HashEngineEnd, clock: Clock): HashThread {
  const line = openThreadLine(start, clock)
  let streams = 0
  return {
    isReady: () => line.isReady(),
    async digest(chunks) {
      const stream = streams++
      const sent: { readonly bytes: number; readonly taken: Promise<HashAnswer> }[] = []
      const spares: ArrayBuffer[] = []
      let ahead = 0
      const makeRoom = async (most: number): Promise<void> => {
        for (let next = sent[0]; next !== undefined && ahead > most; next = sent[0]) {
          const { spare } = await next.taken
          if (spare !== undefined) spares.push(spare)
          ahead -= next.bytes
          sent.shift()
        }
      }
      try {
        for await (const bytes of chunks(() => spares.pop())) {
          const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice()
          const { length } = own
          const taken = line.ask({ kind: 'feed', stream, bytes: own }, [own.buffer])
          // Awaited in its turn; a chunk that fails before must not leave it unhandled.
          taken.catch(() => undefined)
          sent.push({ bytes: length, taken })
          ahead += length
          await makeRoom(AHEAD_BYTES)
        }
        await makeRoom(0)
        const { sha256 } = await line.ask({ kind: 'end', stream }, [])
        if (sha256 === undefined) throw new ThreadLost('no digest came')
        return sha256
      } catch (error) {
        line.ask({ kind: 'drop', stream }, []).catch(() => undefined)
        throw error
      }
    },
  }
}
