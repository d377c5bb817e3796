/** What BEP 3 can say. Strings are bytes; keys of a dictionary are told as text. */
export type Decoded = number | Buffer | readonly Decoded[] | ReadonlyMap<string, Decoded>

/** @throws {Error} for what is not bencoded to the last byte, for keys that do not rise, and for numbers in any but their one form */
export function decodeBencode(bytes: Buffer): Decoded {
  let at = 0
  const take = (pattern: RegExp): string => {
    const found = pattern.exec(bytes.toString('latin1', at, at + 32))?.[0]
    if (found === undefined) throw new Error(`expected ${pattern} at byte ${at}`)
    at += found.length
    return found
  }
  const isEnd = (): boolean => bytes[at] === 0x65 && ++at > 0
  const string = (): Buffer => {
    const length = Number(take(/^(?:0|[1-9]\d*):/).slice(0, -1))
    at += length
    if (at > bytes.length) throw new Error('a string goes beyond the end')
    return bytes.subarray(at - length, at)
  }
  const value = (): Decoded => {
    const kind = String.fromCodePoint(bytes[at] ?? 0)
    if (kind === 'i') return Number(take(/^i(?:0|-?[1-9]\d*)e/).slice(1, -1))
    if (kind === 'l') {
      const items: Decoded[] = []
      for (at++; !isEnd();) items.push(value())
      return items
    }
    if (kind !== 'd') return string()
    const members = new Map<string, Decoded>()
    let before = ''
    for (at++; !isEnd();) {
      const key = string().toString('latin1')
      if (key <= before) throw new Error(`key ${key} after ${before}`)
      members.set((before = key), value())
    }
    return members
  }
  const whole = value()
  if (at !== bytes.length) throw new Error('something stands behind the end')
  return whole
}
