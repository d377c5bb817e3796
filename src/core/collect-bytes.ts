/**
 * All of `chunks` in one piece, as long as they are few enough. Each is copied at once: a source may use its memory again.
 * @param tooLong what is thrown at the chunk that brings more than `limitBytes`; nothing is read after it
 */
export async function collectBytes(
  chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[],
  limitBytes: number,
  tooLong: () => Error,
): Promise<Uint8Array<ArrayBuffer>> {
  const kept: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.length
    if (length > limitBytes) throw tooLong()
    kept.push(chunk.slice())
  }
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of kept) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
