import type { HashAnswer, HashThreadEnd } from './hash-message.ts'
import type { HashStream } from './hash-stream.ts'
import { serveThread, Unable, type Answered } from './thread-line.ts'

/** Answers an engine, on a thread of its own: hashing an artifact takes as long as reading, checking and keeping it together. */
export function serveHashing(port: HashThreadEnd, createStream: () => Promise<HashStream>): void {
  const streams = new Map<number, HashStream>()
  const begin = async (id: number): Promise<HashStream> => {
    const stream = await createStream().catch((error: unknown) => {
      // WebAssembly is not to be had.
      throw new Unable(String(error))
    })
    streams.set(id, stream)
    return stream
  }
  serveThread(port, async (question): Promise<Answered<HashAnswer>> => {
    const { stream: id } = question
    if (question.kind === 'drop') {
      streams.delete(id)
      return { answer: {}, transfer: [] }
    }
    const stream = streams.get(id) ?? (await begin(id))
    if (question.kind === 'feed') {
      const { buffer } = question.bytes
      stream.update(question.bytes)
      return { answer: { spare: buffer }, transfer: [buffer] }
    }
    streams.delete(id)
    return { answer: { sha256: stream.digest() }, transfer: [] }
  })
}
