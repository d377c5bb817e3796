import { changeBytes, respellBase64 } from './byte-changes.ts'
import type { Chance } from './chance.ts'
import { changeDer } from './der-changes.ts'

/** What stands where something else is expected. */
const HOSTILE: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  0.5,
  1e300,
  2 ** 53,
  -(2 ** 31),
  '',
  ' ',
  'AAAA',
  '%',
  '\u0000',
  '\u202E',
  '\uD800',
  '0',
  '-1',
  '1e3',
  '9007199254740993',
  '18446744073709551616',
  '1970-01-01T00:00:00Z',
  'https://',
  'javascript:0',
  '../',
  'a'.repeat(3000),
  [],
  {},
  [[]],
  [null],
  [{}],
  { length: 1e9 },
  { length: -1 },
  { type: 'Buffer', data: [1] },
  { toString: 1 },
  { critical: ['x'] },
  'SHA2_256',
  'certificate',
]
const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'length',
  'critical',
  'mediaType',
  'payload',
  'signatures',
  'rawBytes',
  'hint',
  '0',
  '',
]
const BASE64 = /^(?:[A-Za-z0-9+/]{4}){2,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

const NESTED = /(?:\[|\{"a":){300}/

/** Where a value stands: `holder[key]`. */
interface Place {
  readonly holder: object
  readonly key: string
  readonly value: unknown
}

/** The text of a JSON document with one to three changes of its values, then perhaps one of the text. */
export function changeJsonText(text: string, donor: string, chance: Chance): string {
  const root = { document: parse(text) }
  for (let changes = 1 + chance.below(3); changes > 0; changes--) changeOne(root, parse(donor), chance)
  const changed = JSON.stringify(root.document) ?? ''
  return chance.oneIn(4) ? changeText(changed, chance) : changed
}

/** A change of the text of a document, which a parser may or may not see. */
export function changeText(text: string, chance: Chance): string {
  switch (chance.below(6)) {
    case 0:
      return duplicateMember(text, chance)
    case 1:
      return `${chance.pick(['\uFEFF', ' \n\t', '[', '{"a":', '\u0000'])}${text}`
    case 2:
      return `${text}${chance.pick(['\n', ' ', '}', '\u0000', ',', 'x'])}`
    case 3:
      return text.replace(/[{[]/, (open) => open + (open === '{' ? '"x":' : '') + nested(chance) + ',')
    case 4:
      return JSON.stringify(parse(text), undefined, '\t') ?? ''
    default:
      return changeBytes(Buffer.from(text), chance).toString(chance.pick(['utf8', 'latin1']))
  }
}

function changeOne(root: { document: unknown }, donor: unknown, chance: Chance): void {
  const places = placesIn(root)
  // An earlier change took the whole document away.
  if (places.length === 0) return
  const place = chance.pick(places)
  const { value } = place
  if (typeof value === 'string' && !chance.oneIn(4)) return put(place, changeString(value, chance))
  if (typeof value === 'object' && value !== null && !chance.oneIn(3)) return changeHolder(value, chance)
  switch (chance.below(6)) {
    case 0:
      return remove(place)
    case 1:
      return put(place, chance.pick(places).value)
    case 2:
      return put(place, chance.pick(placesIn({ donor })).value)
    case 3:
      return graft(place, donor)
    case 4:
      return exchange(place, chance.pick(places))
    default:
      return put(place, chance.pick(HOSTILE))
  }
}

/** A list or an object: one member more or less, or one that is called otherwise. */
function changeHolder(holder: object, chance: Chance): void {
  const keys = Object.keys(holder)
  if (Array.isArray(holder)) {
    const item: unknown = holder[chance.below(holder.length)] ?? null
    const kind = chance.below(4)
    if (kind < 2) for (let i = 1 + chance.below(chance.oneIn(8) ? 70 : 3); i > 0; i--) holder.push(structuredClone(item))
    else if (kind === 2) holder.reverse()
    else holder.splice(chance.below(holder.length), 1)
    return
  }
  const key = keys.length === 0 ? 'x' : chance.pick(keys)
  const place = { holder, key, value: Reflect.get(holder, key) as unknown }
  if (chance.oneIn(3)) remove(place)
  else if (chance.oneIn(2)) put({ ...place, key: chance.pick(NAMES) }, chance.oneIn(2) ? place.value : chance.pick(HOSTILE))
  else {
    remove(place)
    put({ ...place, key: chance.pick([snakeCase(key), key.toUpperCase(), `${key} `]) }, place.value)
  }
}

function changeString(text: string, chance: Chance): unknown {
  if (BASE64.test(text) && !chance.oneIn(6)) return changeBase64(text, chance)
  if (/^\d+$/.test(text))
    return chance.pick([String(BigInt(text) + 1n), `-${text}`, `0${text}`, `${text}.0`, `0x${text}`, Number(text), '9'.repeat(30), ''])
  switch (chance.below(5)) {
    case 0:
      return changeLines(text, chance)
    case 1:
      return text.toUpperCase()
    case 2:
      return `${text}${chance.pick(['\n', '/', '.', ' ', '\u0000', '#', '@'])}`
    case 3:
      return chance.pick(HOSTILE)
    default:
      return changeBytes(Buffer.from(text), chance).toString()
  }
}

function changeBase64(text: string, chance: Chance): string {
  if (chance.oneIn(5)) return respellBase64(text, chance)
  const bytes = Buffer.from(text, 'base64')
  if (bytes[0] === 0x7b && !chance.oneIn(4)) {
    const inside = bytes.toString()
    return Buffer.from(changeJsonText(inside, inside, chance)).toString('base64')
  }
  return (chance.oneIn(3) ? changeBytes(bytes, chance) : changeDer(bytes, chance)).toString('base64')
}

function changeLines(text: string, chance: Chance): string {
  const lines = text.split('\n')
  const at = chance.below(lines.length)
  const line = lines[at] ?? ''
  const changed = chance.pick([
    [],
    [line, line],
    Array<string>(60).fill(line),
    [changeBytes(Buffer.from(line), chance).toString()],
    ['', line],
  ])
  return lines.toSpliced(at, 1, ...changed).join('\n')
}

function duplicateMember(text: string, chance: Chance): string {
  const members = [...text.matchAll(/"([A-Za-z0-9]+)":("[^"\\]*"|\d+|true|false|null|\[\]|\{\})/g)]
  if (members.length === 0) return text
  const { 0: member, 1: name = '', index } = chance.pick(members)
  const other = `"${name}":${JSON.stringify(chance.pick(HOSTILE))}`
  return `${text.slice(0, index)}${chance.pick([`${other},${member}`, `${member},${other}`, `${member},${member}`])}${text.slice(index + member.length)}`
}

function nested(chance: Chance): string {
  const depth = chance.pick([10, 40, 5000])
  return chance.oneIn(2) ? `${'['.repeat(depth)}${']'.repeat(depth)}` : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
}

function placesIn(root: object): readonly Place[] {
  const places: Place[] = []
  const visit = (holder: object): void => {
    for (const key of Object.keys(holder)) {
      const value: unknown = Reflect.get(holder, key)
      places.push({ holder, key, value })
      if (typeof value === 'object' && value !== null) visit(value)
    }
  }
  visit(root)
  return places
}

/** The donor's value of the same name, wherever it stands there. */
function graft(place: Place, donor: unknown): void {
  const other = placesIn({ donor }).find(({ key }) => key === place.key)
  if (other !== undefined) put(place, other.value)
}

function exchange(one: Place, other: Place): void {
  // A value put into itself has no end.
  if (contains(one.value, other.holder) || contains(other.value, one.holder)) return
  put(one, other.value)
  put(other, one.value)
}

function contains(value: unknown, holder: object): boolean {
  return (
    typeof value === 'object' && value !== null && (value === holder || Object.values(value).some((inside) => contains(inside, holder)))
  )
}

function put({ holder, key }: Place, value: unknown): void {
  Object.defineProperty(holder, key, { value: structuredClone(value), enumerable: true, configurable: true, writable: true })
}

function remove({ holder, key }: Place): void {
  if (Array.isArray(holder)) holder.splice(Number(key), 1)
  else Reflect.deleteProperty(holder, key)
}

function parse(text: string): unknown {
  try {
    // What an earlier change has nested without end is left alone: we walk it by calling ourselves.
    return NESTED.test(text) ? text : JSON.parse(text)
  } catch {
    // Lines of JSON, or what an earlier change has made of it: one text then.
    return text
  }
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
