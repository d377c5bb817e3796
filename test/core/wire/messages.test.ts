import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Failure } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { parseEngineMessage } from '../../../src/core/wire/parse-engine-message.ts'
import { parsePageMessage } from '../../../src/core/wire/parse-page-message.ts'
import { parseNeedAnswer, parseToPageMessage, parseToWorkerMessage } from '../../../src/core/wire/parse-worker-message.ts'
import { failureFrom, memberPaths } from '../manifest/outcome.ts'
import { engineMessage, needAnswer, pageMessage, toPageMessage, toWorkerMessage } from './arbitraries.ts'

interface Language {
  readonly name: string
  readonly messages: fc.Arbitrary<object>
  readonly parse: (value: unknown) => unknown
  /** What a message that is none comes to. */
  readonly refusal: 'format-invalid' | 'undefined'
}

const languages: readonly Language[] = [
  { name: 'message of a page to its engine', messages: pageMessage, parse: parsePageMessage, refusal: 'format-invalid' },
  { name: 'message of an engine to its page', messages: engineMessage, parse: parseEngineMessage, refusal: 'format-invalid' },
  { name: 'message to the service worker', messages: toWorkerMessage, parse: parseToWorkerMessage, refusal: 'undefined' },
  { name: 'need of the service worker', messages: toPageMessage, parse: parseToPageMessage, refusal: 'undefined' },
  { name: 'answer to a need', messages: needAnswer, parse: parseNeedAnswer, refusal: 'undefined' },
]

/** A list of nothing but holes, which a structured clone keeps. */
function holes(length: number): readonly unknown[] {
  const list: unknown[] = []
  list.length = length
  return list
}

/** Everything that can come over a port, and some that cannot. */
const anything = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
})

const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    undefined,
    '',
    'all',
    '__proto__',
    -1,
    -0,
    0.5,
    NaN,
    Infinity,
    2 ** 53,
    [],
    {},
    [[]],
    holes(3),
    holes(2 ** 32 - 1),
  ),
  fc.constantFrom<unknown>('x'.repeat(3000), new Uint8Array(1000), new Uint16Array(2), new ArrayBuffer(3), new Map(), new Date(0), 1n),
  anything,
)

/** Reads it, and says what came of it: the message, or the refusal that this language has. Anything else is thrown. */
function outcome({ parse, refusal }: Language, value: unknown): unknown {
  if (refusal === 'undefined') return parse(value)
  let message: unknown
  const failure = failureFrom(() => {
    message = parse(value)
  })
  if (failure !== undefined) expect(['format-invalid', 'format-unsupported']).toContain(failure.code)
  return message
}

describe.each(languages)('any $name', (language) => {
  test('survives the copy to another thread and the reading unchanged', () => {
    fc.assert(
      fc.property(language.messages, (message) => {
        const copy = structuredClone(message)
        expect(language.parse(copy)).toStrictEqual(copy)
      }),
      { numRuns: 500 },
    )
  })

  test('is told from anything else: a value is a message or is refused, and nothing else happens', () => {
    fc.assert(
      fc.property(junk, (value) => void outcome(language, value)),
      { numRuns: 500 },
    )
  })

  test('with any member replaced is read or refused, and what is read holds no hole', () => {
    const changed = fc.tuple(language.messages, fc.nat(), junk).map(([message, at, value]) => {
      const copy = structuredClone(message)
      const paths = memberPaths(copy)
      setMember(copy, paths[at % paths.length] ?? 'type', value)
      return copy
    })
    fc.assert(
      fc.property(changed, (value) => {
        const message = outcome(language, value)
        if (message !== undefined) expect(language.parse(message)).toStrictEqual(message)
        expect(findHole(message)).toBeUndefined()
      }),
      { numRuns: 1500 },
    )
  })

  test('has its members itself: what it inherits is not read', () => {
    fc.assert(
      fc.property(language.messages, (message) => {
        expect(outcome(language, Object.create(message))).toBeUndefined()
        expect(outcome(language, JSON.parse(`{"__proto__":${JSON.stringify(message)}}`))).toBeUndefined()
      }),
      { numRuns: 50 },
    )
    expect(Object.hasOwn(Object.prototype, 'type')).toBe(false)
  })
})

const listOf = (length: number): unknown[] => Array.from({ length }, () => ({}))

test.each([
  ['sources of a window', parsePageMessage, { type: 'sources', isGrowing: false, sources: listOf(257) }, 'sources'],
  ['bytes of a read', parsePageMessage, { type: 'read-data', read: 1, bytes: new Uint8Array(LIMITS.pieceLengthMaxBytes + 1) }, 'bytes'],
  [
    'bits of an offer',
    parsePageMessage,
    { type: 'offers', source: 'a', sha256: 'a'.repeat(64), bits: new Uint8Array(LIMITS.pieceListBytes + 1) },
    'bits',
  ],
  ['seeds', parseEngineMessage, { type: 'seedable', blobs: listOf(LIMITS.artifactsInCatalogue + 1) }, 'blobs'],
  ['bytes of a seed', parseEngineMessage, { type: 'seed-bytes', call: 1, bytes: new Uint8Array(LIMITS.pieceLengthMaxBytes + 1) }, 'bytes'],
  ['audit records', parseEngineMessage, { type: 'audited', call: 1, lines: holes(100_001) }, 'lines'],
])('more %s than there may be are refused before any is looked at', (_what, parse, message, path) => {
  expect(failureFrom(() => parse(message))).toMatchObject({ code: 'format-invalid', document: 'bridge-message', path, detail: /at most/ })
})

test('a hole in a list is refused like anything that is not an item', () => {
  const message = { type: 'sources', sources: holes(2), isGrowing: false }
  expect(failureFrom(() => parsePageMessage(message))).toMatchObject({ code: 'format-invalid', path: 'sources[0]' })
})

/** What a browser's structured clone carries and JSON cannot. */
function ringOfReasons(): Failure {
  const reasons: Failure[] = []
  const failure: Failure = { code: 'catalogue-unavailable', reasons }
  for (let i = 0; i < 16; i++) reasons.push(failure)
  return structuredClone(failure)
}

test.each([
  ['page', () => parsePageMessage({ type: 'read-failed', read: 1, failure: ringOfReasons() })],
  ['engine', () => parseEngineMessage({ type: 'failed', call: 1, failure: ringOfReasons() })],
])('reasons that lead back to themselves end the reading of a message of the %s at once', (_who, parse) => {
  expect(failureFrom(parse)).toMatchObject({ code: 'format-invalid', detail: /at most 0 items/ })
})

test('an answer whose reasons lead back to themselves is no answer', () => {
  expect(parseNeedAnswer({ type: 'failed', failure: ringOfReasons() })).toBeUndefined()
})

test.each([0, 2, '1', undefined])('a message of version %s is none to a service worker or a page of this one', (sealift) => {
  expect(parseToWorkerMessage({ sealift, type: 'ping' })).toBeUndefined()
  expect(parseToPageMessage({ sealift, type: 'need', request: { kind: 'digest', sha256: 'a'.repeat(64) } })).toBeUndefined()
})

function setMember(root: object, path: string, value: unknown): void {
  const names = path.split('.')
  const last = names.pop() ?? ''
  let at: unknown = root
  for (const name of names) at = typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined
  if (typeof at !== 'object' || at === null || ArrayBuffer.isView(at)) return
  Object.defineProperty(at, last, { value, enumerable: true, configurable: true, writable: true })
}

/** An array with fewer items than its length, which `map` and `toEqual` do not see. */
function findHole(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined
  if (Array.isArray(value) && Object.keys(value).length < value.length) return value
  // A blob is the browser's own object: who uses it asks whether it is one.
  const members = Object.entries(value).filter(([name]) => name !== 'blob')
  return members.map(([, member]) => member).find((member) => findHole(member) !== undefined)
}
