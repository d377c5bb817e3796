import { encodingOf } from './encodings.ts'

/** What the Sigstore packages use of Node's `Buffer` instances. `subarray` gives another one, by the species rule. */
class ByteBuffer extends Uint8Array {
  override toString(encoding?: string): string {
    return encodingOf(encoding).toText(this)
  }

  equals(other: Uint8Array): boolean {
    return this.length === other.length && this.every((byte, i) => byte === other[i])
  }

  /** Copies all of this into `target`, from `targetStart` on. */
  copy(target: Uint8Array, targetStart = 0): number {
    target.set(this, targetStart)
    return this.length
  }

  readBigInt64BE(offset = 0): bigint {
    return new DataView(this.buffer, this.byteOffset, this.byteLength).getBigInt64(offset)
  }
}

/** Browser stand-in for the part of Node's `Buffer` that the Sigstore packages use. Bad base64, hex and ASCII throw. */
export const Buffer = {
  /** From text in an encoding, or a copy of bytes. An `ArrayBuffer` is shared, as in Node: certificates are encoded into many of them. */
  from(source: string | ArrayBuffer | ArrayLike<number>, encoding?: string): ByteBuffer {
    if (typeof source === 'string') return copyOf(encodingOf(encoding).toBytes(source))
    return source instanceof ArrayBuffer ? new ByteBuffer(source) : copyOf(source)
  },
  alloc(lengthBytes: number): ByteBuffer {
    return new ByteBuffer(lengthBytes)
  },
  concat(parts: readonly Uint8Array[]): ByteBuffer {
    const joined = new ByteBuffer(parts.reduce((total, part) => total + part.length, 0))
    let at = 0
    for (const part of parts) {
      joined.set(part, at)
      at += part.length
    }
    return joined
  },
}

function copyOf(bytes: ArrayLike<number>): ByteBuffer {
  const copy = new ByteBuffer(bytes.length)
  copy.set(bytes)
  return copy
}
