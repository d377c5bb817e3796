import { changeBytes, flipBit } from './byte-changes.ts'
import type { Chance } from './chance.ts'

/** One element of DER, as a tree where its content is DER again. */
interface Element {
  tag: number
  content: Buffer
  /** With a count of unused bits before them, in a BIT STRING. */
  children: Element[] | undefined
}

const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const CONSTRUCTED = 0x20

/** One change of DER: of an element, with the lengths around it made right again, or of a length alone. */
export function changeDer(bytes: Uint8Array, chance: Chance): Buffer {
  const elements = readAll(Buffer.from(bytes))
  if (elements === undefined || elements.length === 0) return changeBytes(bytes, chance)
  if (chance.oneIn(4)) return changeLength(bytes, chance)
  const root: Element = { tag: 0, content: Buffer.alloc(0), children: elements }
  changeElement(chance.pick(descendants(root)), root, chance)
  return Buffer.concat((root.children ?? []).map(write))
}

function changeElement(element: Element, root: Element, chance: Chance): void {
  const { children } = element
  if (children !== undefined && children.length > 0 && !chance.oneIn(4)) return changeChildren(children, root, chance)
  element.children = undefined
  switch (chance.below(7)) {
    case 0:
      element.tag = chance.pick([
        0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x17, 0x18, 0x1f, 0x30, 0x31, 0x80, 0x82, 0x86, 0xa0, 0xa3, 0xff,
      ])
      return
    case 1:
      element.content = Buffer.alloc(0)
      return
    case 2:
      element.content = Buffer.concat([element.content, Buffer.from([chance.below(256)])])
      return
    case 3:
      element.content = Buffer.alloc(1 + chance.below(chance.oneIn(20) ? 60_000 : 300), chance.pick([0, 0x7f, 0x80, 0xff]))
      return
    case 4:
      element.content = Buffer.from(chance.pick(['99991231235959Z', '000000000000Z', '20260101000000.1Z', '20260101000000+9999', '𝟗', 'Z']))
      return
    case 5:
      element.content = changeBytes(element.content, chance)
      return
    default:
      element.content = flipBit(element.content, chance)
  }
}

function changeChildren(children: Element[], root: Element, chance: Chance): void {
  const at = chance.below(children.length)
  const child = children[at]
  if (child === undefined) return
  switch (chance.below(6)) {
    case 0:
      children.splice(at, 1)
      return
    case 1:
      children.splice(at, 0, ...Array<Element>(1 + chance.below(chance.oneIn(10) ? 500 : 3)).fill(child))
      return
    case 2:
      children.reverse()
      return
    case 3:
      children[at] = chance.pick(
        descendants(root)
          .slice(1)
          .filter((other) => !descendants(other).includes(child))
          .concat(child),
      )
      return
    case 4:
      for (let depth = 1 + chance.below(chance.oneIn(10) ? 2000 : 5); depth > 0; depth--) {
        children[at] = { tag: 0x30, content: Buffer.alloc(0), children: [children[at] ?? child] }
      }
      return
    default:
      changeElement(child, root, chance)
  }
}

/** A length that lies about what follows. */
function changeLength(bytes: Uint8Array, chance: Chance): Buffer {
  const at = chance.pick(lengthPlaces(Buffer.from(bytes)))
  const length = bytes[at] ?? 0
  const lies = [
    [length + 1],
    [length - 1],
    [0],
    [0x80],
    [0x81, length],
    [0x82, 0, length],
    [0x84, 0xff, 0xff, 0xff, 0xff],
    [0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  ]
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(chance.pick(lies)), bytes.subarray(at + 1)])
}

function lengthPlaces(bytes: Buffer): readonly number[] {
  const places: number[] = []
  const visit = (start: number, end: number): void => {
    for (let at = start; at < end;) {
      const extent = extentAt(bytes, at)
      if (extent === undefined || extent.end > end) return
      places.push(at + 1)
      if (((bytes[at] ?? 0) & CONSTRUCTED) !== 0) visit(extent.start, extent.end)
      at = extent.end
    }
  }
  visit(0, bytes.length)
  return places
}

function descendants(element: Element): readonly Element[] {
  return [element, ...(element.children ?? []).flatMap(descendants)]
}

function readAll(bytes: Buffer, depth = 0): Element[] | undefined {
  const elements: Element[] = []
  for (let at = 0; at < bytes.length;) {
    const extent = extentAt(bytes, at)
    if (extent === undefined || depth > 20) return undefined
    const tag = bytes.readUInt8(at)
    const content = bytes.subarray(extent.start, extent.end)
    elements.push({ tag, content, children: childrenOf(tag, content, depth) })
    at = extent.end
  }
  return elements
}

function childrenOf(tag: number, content: Buffer, depth: number): Element[] | undefined {
  if (tag === BIT_STRING) return content[0] === 0 && content[1] === 0x30 ? readAll(content.subarray(1), depth + 1) : undefined
  if (tag !== OCTET_STRING && (tag & CONSTRUCTED) === 0) return undefined
  return content.length === 0 ? undefined : readAll(content, depth + 1)
}

function extentAt(bytes: Buffer, at: number): { readonly start: number; readonly end: number } | undefined {
  const first = bytes[at + 1]
  if (first === undefined || ((bytes[at] ?? 0) & 0x1f) === 0x1f) return undefined
  const count = first < 0x80 ? 0 : first & 0x7f
  if ((first >= 0x80 && count === 0) || count > 3 || at + 2 + count > bytes.length) return undefined
  const length = count === 0 ? first : bytes.readUIntBE(at + 2, count)
  const start = at + 2 + count
  return start + length > bytes.length ? undefined : { start, end: start + length }
}

function write({ tag, content, children }: Element): Buffer {
  const inside =
    children === undefined ? content : Buffer.concat([...(tag === BIT_STRING ? [Buffer.from([0])] : []), ...children.map(write)])
  return Buffer.concat([Buffer.from([tag, ...lengthOf(inside.length)]), inside])
}

function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length]
  const hex = length.toString(16)
  const bytes = [...Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')]
  return [0x80 | bytes.length, ...bytes]
}
