/** A strict reader of the few DER shapes that public keys have (ITU-T X.690). Certificates are read by `@sigstore/core`. */

export const TAG = { integer: 0x02, bitString: 0x03, oid: 0x06, sequence: 0x30 } as const

export interface DerNode {
  readonly tag: number
  readonly value: Uint8Array
}

/** The one element that `bytes` holds, whole. @throws {TypeError} when malformed or followed by more bytes */
export function readDer(bytes: Uint8Array): DerNode {
  const { node, end } = readAt(bytes, 0)
  if (end !== bytes.length) throw malformed('trailing bytes')
  return node
}

/** The elements of a SEQUENCE, in order. @throws {TypeError} */
export function readSequence(node: DerNode | undefined): readonly DerNode[] {
  const value = valueOf(node, TAG.sequence)
  const children: DerNode[] = []
  for (let at = 0; at < value.length;) {
    const { node: child, end } = readAt(value, at)
    children.push(child)
    at = end
  }
  return children
}

/** Dotted form. @throws {TypeError} */
export function readOid(node: DerNode | undefined): string {
  const [first, ...rest] = valueOf(node, TAG.oid)
  if (first === undefined) throw malformed('empty OID')
  const arcs = [Math.floor(first / 40), first % 40]
  let arc = 0
  for (const byte of rest) {
    arc = arc * 128 + (byte & 0x7f)
    if (arc > 0xffff_ffff) throw malformed('OID arc')
    if ((byte & 0x80) !== 0) continue
    arcs.push(arc)
    arc = 0
  }
  return arcs.join('.')
}

/** A non-negative INTEGER. @throws {TypeError} */
export function readUnsigned(node: DerNode | undefined): bigint {
  const value = valueOf(node, TAG.integer)
  const [first] = value
  if (first === undefined || (first & 0x80) !== 0) throw malformed('negative integer')
  return value.reduce((total, byte) => (total << 8n) | BigInt(byte), 0n)
}

/** The bytes of a BIT STRING of whole bytes. @throws {TypeError} */
export function readBits(node: DerNode | undefined): Uint8Array {
  const value = valueOf(node, TAG.bitString)
  if (value[0] !== 0) throw malformed('unused bits')
  return value.subarray(1)
}

function readAt(bytes: Uint8Array, at: number): { readonly node: DerNode; readonly end: number } {
  const tag = byteAt(bytes, at)
  const { length, start } = readLength(bytes, at + 1)
  const end = start + length
  if (end > bytes.length) throw malformed('truncated')
  return { node: { tag, value: bytes.subarray(start, end) }, end }
}

function readLength(bytes: Uint8Array, at: number): { readonly length: number; readonly start: number } {
  const first = byteAt(bytes, at)
  if (first < 0x80) return { length: first, start: at + 1 }
  const count = first & 0x7f
  if (count < 1 || count > 4) throw malformed('length')
  let length = 0
  for (let i = 1; i <= count; i++) length = length * 256 + byteAt(bytes, at + i)
  if (length < 0x80 || length < 256 ** (count - 1)) throw malformed('length is not minimal')
  return { length, start: at + 1 + count }
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]
  if (byte === undefined) throw malformed('truncated')
  return byte
}

function valueOf(node: DerNode | undefined, tag: number): Uint8Array {
  if (node?.tag !== tag) throw malformed(`expected tag ${tag}`)
  return node.value
}

function malformed(detail: string): TypeError {
  return new TypeError(`malformed DER: ${detail}`)
}
