const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** A line of a text, counted from 1, without its line end. */
export interface NumberedLine {
  readonly number: number
  /** Undefined when it is longer than may be held. */
  readonly bytes: Uint8Array | undefined
}

/**
 * Reads text that is too large to hold, a line at a time. Empty lines are counted and left out.
 * @param limitBytes of one line
 * @param signal ends it with its reason
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, limitBytes: number, signal: AbortSignal): AsyncGenerator<NumberedLine> {
  const line = new LineBuffer(limitBytes)
  let number = 1
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      line.add(chunk.subarray(start, end))
      start = end + 1
      if (!line.isEmpty) yield { number, bytes: line.take() }
      number++
    }
    line.add(chunk.subarray(start))
  }
  signal.throwIfAborted()
  if (!line.isEmpty) yield { number, bytes: line.take() }
}

class LineBuffer {
  readonly #limitBytes: number
  #parts: Uint8Array[] = []
  #sizeBytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  get isEmpty(): boolean {
    return this.#sizeBytes === 0
  }

  add(part: Uint8Array): void {
    this.#sizeBytes += part.length
    if (this.#sizeBytes > this.#limitBytes) this.#parts = []
    // A stream may use its buffer again, and `slice` of a Buffer is a view of it.
    else if (part.length > 0) this.#parts.push(new Uint8Array(part))
  }

  take(): Uint8Array | undefined {
    const isHeld = this.#sizeBytes <= this.#limitBytes
    const bytes = isHeld ? joined(this.#parts, this.#sizeBytes) : undefined
    this.#parts = []
    this.#sizeBytes = 0
    return bytes
  }
}

function joined(parts: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const whole = new Uint8Array(sizeBytes)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  // Editors of some systems end lines with two characters.
  return whole.at(-1) === CARRIAGE_RETURN ? whole.subarray(0, -1) : whole
}
