import type { HashQuestion, ThreadEnd } from './hash-message.ts'
import type { HashStream } from './hash-stream.ts'

/** Answers an engine, on a thread of its own: hashing an artifact takes as long as reading, checking and keeping it together. */
export function serveHashing(port: ThreadEnd, createStream: () => Promise<HashStream>): void {
  const streams = new Map<number, Promise<HashStream>>()
  const streamOf = (id: number): Promise<HashStream> => {
    const known = streams.get(id) ?? createStream()
    streams.set(id, known)
    return known
  }
  const answer = async (question: HashQuestion): Promise<void> => {
    const { ask, stream: id } = question
    if (question.kind === 'drop') {
      streams.delete(id)
      port.post({ kind: 'done', ask }, [])
      return
    }
    const stream = await streamOf(id)
    if (question.kind === 'feed') {
      const { buffer } = question.bytes
      stream.update(question.bytes)
      port.post({ kind: 'done', ask, spare: buffer }, [buffer])
      return
    }
    streams.delete(id)
    port.post({ kind: 'done', ask, sha256: stream.digest() }, [])
  }
  port.onMessage((question) => {
    answer(question).catch(() => port.post({ kind: 'unable' }, []))
  })
  port.post({ kind: 'ready' }, [])
}
