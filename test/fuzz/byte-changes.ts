import type { Chance } from './chance.ts'

const MANY = 300_000

/** One change of bytes that knows nothing of what they mean. */
export function changeBytes(bytes: Uint8Array, chance: Chance): Buffer {
  const at = chance.below(bytes.length + 1)
  const before = bytes.subarray(0, at)
  const after = bytes.subarray(at)
  switch (chance.below(7)) {
    case 0:
    case 1:
      return flipBit(bytes, chance)
    case 2:
      return Buffer.from(before)
    case 3:
      return Buffer.concat([before, after.subarray(1 + chance.below(16))])
    case 4:
      return Buffer.concat([before, Buffer.from([chance.below(256)]), after])
    case 5:
      return Buffer.concat([before, after.subarray(0, 1 + chance.below(64)), after])
    default:
      return Buffer.concat([
        before,
        Buffer.alloc(1 + chance.below(chance.oneIn(50) ? MANY : 40), chance.pick([0, 0x20, 0x41, 0xff])),
        after,
      ])
  }
}

export function flipBit(bytes: Uint8Array, chance: Chance): Buffer {
  const flipped = Buffer.from(bytes)
  if (flipped.length === 0) return flipped
  const at = chance.below(flipped.length)
  flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << chance.below(8)), at)
  return flipped
}

/** Text that a decoder might forgive. */
export function respellBase64(text: string, chance: Chance): string {
  const at = chance.below(text.length + 1)
  switch (chance.below(7)) {
    case 0:
      return text.replaceAll('+', '-').replaceAll('/', '_')
    case 1:
      return text.replace(/=+$/, '')
    case 2:
      return `${text}${chance.pick(['=', '==', 'A', '\n', '!'])}`
    case 3:
      return `${text.slice(0, at)}${chance.pick([' ', '\n', '%', '\u0000', 'é', '=', '\uD800'])}${text.slice(at)}`
    case 4:
      // Spare bits: another last letter may mean the same bytes.
      return text.replace(/[A-Za-z0-9](=*)$/, (_, padding: string) => chance.pick(['B', 'R', 'h', 'x', '9']) + padding)
    case 5:
      return text.slice(0, at)
    default:
      return text.toLowerCase()
  }
}
