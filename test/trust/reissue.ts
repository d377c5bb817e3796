import { sign, type KeyObject } from 'node:crypto'

const BIT_STRING = 0x03
const SEQUENCE = 0x30

/** The certificate with its signed part changed, signed anew by the authority's key. */
export function reissue(certificate: Buffer, edit: (tbs: Buffer) => Buffer, authority: KeyObject): Buffer {
  const [tbs, algorithm] = elements(contentOf(certificate))
  if (tbs === undefined || algorithm === undefined) throw new TypeError('expected a certificate')
  const edited = edit(Buffer.from(tbs))
  if (edited.equals(tbs)) throw new TypeError('the edit changed nothing')
  const signature = sign('sha384', edited, authority)
  return encode(SEQUENCE, Buffer.concat([edited, algorithm, encode(BIT_STRING, Buffer.concat([Buffer.from([0]), signature]))]))
}

/** `bytes` with one byte sequence replaced by another of the same length. */
export function replaceBytes(bytes: Buffer, from: Buffer, to: Buffer): Buffer {
  const at = bytes.indexOf(from)
  if (at === -1 || from.length !== to.length) throw new TypeError('expected the bytes to be there, and as many in their place')
  return Buffer.concat([bytes.subarray(0, at), to, bytes.subarray(at + from.length)])
}

function contentOf(der: Buffer): Buffer {
  const { start, end } = extent(der, 0)
  return der.subarray(start, end)
}

function elements(content: Buffer): readonly Buffer[] {
  const found: Buffer[] = []
  for (let at = 0; at < content.length;) {
    const { end } = extent(content, at)
    found.push(content.subarray(at, end))
    at = end
  }
  return found
}

function extent(der: Buffer, at: number): { readonly start: number; readonly end: number } {
  const first = der.readUInt8(at + 1)
  if (first < 0x80) return { start: at + 2, end: at + 2 + first }
  const count = first & 0x7f
  const start = at + 2 + count
  return { start, end: start + der.readUIntBE(at + 2, count) }
}

function encode(tag: number, content: Buffer): Buffer {
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content])
  const length = Buffer.from(content.length.toString(16).padStart(content.length > 0xff ? 4 : 2, '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content])
}
