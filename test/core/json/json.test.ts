import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { DeliveryError } from '../../../src/core/errors.ts'
import { openJson, openJsonText } from '../../../src/core/json/json.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { errorFrom, failureFrom } from '../manifest/outcome.ts'
import { utf8 } from '../manifest/samples.ts'

const open = (bytes: Uint8Array) => openJson(bytes, { document: 'manifest', limitBytes: 1000 })
const nested = (levels: number): Uint8Array => utf8('['.repeat(levels) + ']'.repeat(levels))

test('counts the size before anything is decoded', () => {
  expect(failureFrom(() => open(new Uint8Array(1001).fill(0xff)))).toEqual({
    code: 'format-oversized',
    document: 'manifest',
    limitBytes: 1000,
  })
  expect(failureFrom(() => open(utf8(`"${'x'.repeat(998)}"`)))).toBeUndefined()
})

test.each([
  ['bytes that are not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'expected UTF-8'],
  ['a byte order mark', Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d), 'expected JSON'],
  ['nothing', new Uint8Array(), 'expected JSON'],
  ['JSON that is cut off', utf8('{"a":'), 'expected JSON'],
  ['two documents', utf8('{}{}'), 'expected JSON'],
  ['brackets one level too deep', nested(LIMITS.jsonDepth + 1), 'expected at most 32 levels'],
])('refuses %s', (_what, bytes, detail) => {
  expect(failureFrom(() => open(bytes))).toEqual({ code: 'format-invalid', document: 'manifest', path: '$', detail })
})

test('brackets inside text have no depth, whatever is escaped around them', () => {
  expect(failureFrom(() => open(nested(LIMITS.jsonDepth)))).toBeUndefined()
  expect(failureFrom(() => open(utf8(JSON.stringify({ a: `\\"${'['.repeat(100)}` }))))).toBeUndefined()
  expect(failureFrom(() => open(utf8(`{"a":"\\\\","b":${'['.repeat(40)}${']'.repeat(40)}}`)))).toMatchObject({
    detail: 'expected at most 32 levels',
  })
})

test('a wide document is not a deep one', () => {
  for (const item of ['[]', '{}', '{"a":[{}]}', '[{"a":1}]']) {
    const siblings = Array.from({ length: 50 }, () => item).join()
    expect(failureFrom(() => open(utf8(`[${siblings}]`)))).toBeUndefined()
    expect(failureFrom(() => open(utf8(`[${siblings},${'['.repeat(LIMITS.jsonDepth)}${']'.repeat(LIMITS.jsonDepth)}]`)))).toMatchObject({
      detail: 'expected at most 32 levels',
    })
  }
})

test('members of Object.prototype are not members of a document', () => {
  const get = open(utf8('{"__proto__":{"inherited":1}}')).object(['toString', '__proto__', 'inherited'])
  expect(get('toString').isAbsent).toBe(true)
  expect(get('inherited').isAbsent).toBe(true)
  expect(get('__proto__').object(['inherited'])('inherited').integer(0)).toBe(1)
})

test('ignores what it does not know, unless the document says that it must not', () => {
  const read = (document: string) => open(utf8(document)).object(['size'])('size').integer(0)
  expect(read('{"size":1,"colour":"red"}')).toBe(1)
  expect(read('{"size":1,"critical":["size"]}')).toBe(1)
  expect(failureFrom(() => read('{"size":1,"colour":"red","critical":["colour"]}'))).toEqual({
    code: 'format-unsupported',
    document: 'manifest',
    detail: 'critical: needs "colour", which this version does not know',
  })
  expect(failureFrom(() => read('{"size":1,"critical":"colour"}'))).toMatchObject({ code: 'format-invalid', path: 'critical' })
})

test('names the place of a fault from the document inwards', () => {
  const items = open(utf8('{"items":[{"size":1},{"size":"2"}]}')).object(['items'])('items').list(2)
  expect(failureFrom(() => items[1]?.object(['size'])('size').integer(0))).toMatchObject({ path: 'items[1].size' })
})

test.each([1.5, -1, 2 ** 53, '1', null, true])('a whole number from 0 is not %s', (value) => {
  expect(failureFrom(() => open(utf8(JSON.stringify(value))).integer(0))).toMatchObject({ code: 'format-invalid', path: '$' })
})

test.each(['null', '[]', '[{}]', '"text"', '1', 'true'])('%s is no object', (value) => {
  expect(failureFrom(() => open(utf8(value)).object(['length']))).toMatchObject({ path: '$', detail: 'expected an object' })
  expect(failureFrom(() => open(utf8(value)).foreignObject())).toMatchObject({ path: '$', detail: 'expected an object' })
})

test('an absent member complains when it is read, not when it is named', () => {
  const absent = open(utf8('{"here":null}')).object(['here', 'gone'])
  for (const field of [absent('here'), absent('gone')]) {
    expect(field.isAbsent).toBe(true)
    expect(field.optional((there) => there.text())).toBeUndefined()
    expect(failureFrom(() => field.text())).toMatchObject({ detail: 'expected text' })
    expect(failureFrom(() => field.object(['a']))).toMatchObject({ detail: 'expected an object' })
  }
})

test('text has a limit in characters', () => {
  expect(open(utf8('"abc"')).text(3)).toBe('abc')
  expect(failureFrom(() => open(utf8('"abcd"')).text(3))).toMatchObject({ detail: 'expected at most 3 characters, got 4' })
})

test('a schema below zero is a broken file, one above ours a newer one', () => {
  expect(open(utf8('1')).schema(1)).toBe(1)
  expect(failureFrom(() => open(utf8('-1')).schema(1))).toMatchObject({ code: 'format-invalid' })
  expect(failureFrom(() => open(utf8('0')).schema(1))).toMatchObject({ code: 'format-unsupported' })
})

test.each(['s3cret', '{"key":s3cret}', '["s3cret",]'])('says of %s that it is no JSON, and quotes nothing of it', (text) => {
  const error = errorFrom(() => open(utf8(text)))
  expect(error).toMatchObject({ failure: { path: '$', detail: 'expected JSON' } })
  expect(inspect(error)).not.toContain('s3cret')
})

test('a value that is not what was expected is not quoted', () => {
  const get = open(utf8('{"a":"s3cret"}')).object(['a'])
  for (const read of [
    () => get('a').integer(0),
    () => get('a').number(),
    () => get('a').boolean(),
    () => get('a').text(3),
    () => get('a').textOfBytes(3),
    () => get('a').oneOf(['b', 'c']),
    () => get('a').checked((value): value is 'b' => value === 'b', 'b'),
    () => get('a').list(1),
    () => get('a').object(['b']),
    () => get('a').foreignObject(),
  ]) {
    const error = errorFrom(read)
    expect(error).toMatchObject({ failure: { code: 'format-invalid', path: 'a' } })
    expect(inspect(error)).not.toContain('s3cret')
  }
})

describe('a message that is text already', () => {
  const refuse = (path: string, detail: string) => new DeliveryError({ code: 'signal-invalid', path, detail })
  const openText = (text: string) => openJsonText(text, { limitBytes: 20, refuse })

  test('is measured as UTF-8', () => {
    expect(failureFrom(() => openText(`"${'x'.repeat(18)}"`))).toBeUndefined()
    expect(failureFrom(() => openText(`"${'x'.repeat(19)}"`))).toMatchObject({ path: '$', detail: 'expected at most 20 bytes' })
    expect(failureFrom(() => openText(`"${'é'.repeat(9)}"`))).toBeUndefined()
    expect(failureFrom(() => openText(`"${'é'.repeat(9)}x"`))).toMatchObject({ path: '$', detail: 'expected at most 20 bytes' })
  })

  test.each([
    ['a member that may not be ignored', () => openText('{"critical":["x"]}').object(['a']), 'critical'],
    ['another schema', () => openText('{"a":2}').object(['a'])('a').schema(1), 'a'],
    ['what is no JSON', () => openText('{'), '$'],
  ])('has one error for everything: %s', (_what, read, path) => {
    expect(failureFrom(read)).toMatchObject({ code: 'signal-invalid', path })
  })
})

test('text may have its limit in bytes', () => {
  expect(open(utf8('"éé"')).textOfBytes(4)).toBe('éé')
  expect(failureFrom(() => open(utf8('"éé"')).textOfBytes(3))).toMatchObject({ detail: 'expected at most 3 bytes' })
  expect(failureFrom(() => open(utf8('1')).textOfBytes(3))).toMatchObject({ detail: 'expected text' })
})

test('a number that overflows to infinity is refused', () => {
  expect(failureFrom(() => open(utf8('1e999')).number())).toMatchObject({ code: 'format-invalid' })
})

test('minus zero reads as zero, so that equal numbers have one encoding', () => {
  expect(Object.is(open(utf8('-0')).integer(0), 0)).toBe(true)
  expect(Object.is(open(utf8('-0')).number(), 0)).toBe(true)
})

test('counts a list before it looks at an item', () => {
  expect(failureFrom(() => open(utf8('[1,2,3]')).list(2))).toMatchObject({ detail: 'expected at most 2 items, got 3' })
})
