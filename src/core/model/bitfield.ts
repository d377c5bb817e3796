import { toPieceIndex, type PieceIndex } from './ids.ts'

/** A set of pieces as bits, most significant first, as on the wire (BEP 3's bit order). */
export interface Bitfield {
  readonly length: number
  /** How many pieces are in the set. */
  readonly size: number
  has(index: PieceIndex): boolean
  add(index: PieceIndex): void
  remove(index: PieceIndex): void
  isFull(): boolean
  /** Members in ascending order. */
  indices(): IterableIterator<PieceIndex>
  /** `ceil(length / 8)` bytes; spare bits are zero. */
  toBytes(): Uint8Array
}

/** An empty set for `length` pieces. @throws {RangeError} when `length` is not a whole number from 0 */
export function createBitfield(length: number): Bitfield {
  if (!Number.isSafeInteger(length) || length < 0) throw new RangeError(`expected a length from 0, got ${length}`)
  return new Bits(length, new Uint8Array(Math.ceil(length / 8)))
}

/** A set of all of `length` pieces. @throws {RangeError} as `createBitfield` */
export function createFullBitfield(length: number): Bitfield {
  const pieces = createBitfield(length)
  for (let at = 0; at < length; at++) pieces.add(toPieceIndex(at))
  return pieces
}

/**
 * Reads a set from attacker-controlled bytes.
 * Undefined when the byte length does not fit, or a spare bit is set: two encodings of one set would make the codec lossy.
 */
export function parseBitfield(length: number, bytes: Uint8Array): Bitfield | undefined {
  if (bytes.length !== Math.ceil(length / 8)) return undefined
  const spare = bytes.length * 8 - length
  const last = bytes.at(-1) ?? 0
  if (spare > 0 && (last & ((1 << spare) - 1)) !== 0) return undefined
  return new Bits(length, bytes.slice())
}

class Bits implements Bitfield {
  readonly length: number
  readonly #bytes: Uint8Array
  #size = 0

  constructor(length: number, bytes: Uint8Array) {
    this.length = length
    this.#bytes = bytes
    for (const byte of bytes) for (let b = byte; b !== 0; b &= b - 1) this.#size++
  }

  get size(): number {
    return this.#size
  }

  has(index: PieceIndex): boolean {
    return index < this.length && ((this.#bytes[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0
  }

  add(index: PieceIndex): void {
    if (index >= this.length) throw new RangeError(`expected a piece below ${this.length}, got ${index}`)
    if (this.has(index)) return
    this.#bytes[index >> 3] = (this.#bytes[index >> 3] ?? 0) | (0x80 >> (index & 7))
    this.#size++
  }

  remove(index: PieceIndex): void {
    if (!this.has(index)) return
    this.#bytes[index >> 3] = (this.#bytes[index >> 3] ?? 0) & ~(0x80 >> (index & 7))
    this.#size--
  }

  isFull(): boolean {
    return this.#size === this.length
  }

  *indices(): IterableIterator<PieceIndex> {
    for (let i = 0; i < this.length; i++) {
      const index = toPieceIndex(i)
      if (this.has(index)) yield index
    }
  }

  toBytes(): Uint8Array {
    return this.#bytes.slice()
  }
}
