import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseEngineMessage } from '../../../src/core/wire/parse-engine-message.ts'
import { parsePageMessage } from '../../../src/core/wire/parse-page-message.ts'
import { parseNeedAnswer, parseToPageMessage, parseToWorkerMessage } from '../../../src/core/wire/parse-worker-message.ts'
import { ENGINE_TYPES, PAGE_TYPES } from './arbitraries.ts'

const page = readFileSync(new URL('../../../docs/page-worker-messages.md', import.meta.url), 'utf8')
const examples = [...page.matchAll(/^```json (\S+)\n(.*?)\n```$/gms)].map(([, language = '', text = '']) => ({ language, text }))

const parsers: Readonly<Record<string, (value: unknown) => unknown>> = {
  page: parsePageMessage,
  engine: parseEngineMessage,
  'to-worker': parseToWorkerMessage,
  'to-page': parseToPageMessage,
  'need-answer': parseNeedAnswer,
}

/** The message that an example stands for: its bytes and blobs are written as JSON can. */
function revive(text: string): unknown {
  return JSON.parse(text, (_name, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value
    if ('base64' in value && typeof value.base64 === 'string') return new Uint8Array(Buffer.from(value.base64, 'base64'))
    return 'blob' in value && typeof value.blob === 'string' ? new Blob([value.blob]) : value
  })
}

test.each(examples)('the page of messages shows a $language message that is one: $text', ({ language, text }) => {
  const message = revive(text)
  const parse = parsers[language]
  if (parse === undefined) throw new RangeError(`no parser for ${language}`)
  // Members that the example leaves out are undefined in the message.
  expect(parse(message)).toEqual(message)
})

test.each([
  ['page', PAGE_TYPES],
  ['engine', ENGINE_TYPES],
  ['to-worker', ['activate', 'claim', 'ping', 'refresh']],
  ['to-page', ['need']],
  ['need-answer', ['accepted', 'failed', 'ready']],
])('the page of messages shows each %s message', (language, types) => {
  const shown = examples.filter((example) => example.language === language).map(({ text }) => /"type": "([^"]+)"/.exec(text)?.[1] ?? '')
  expect([...new Set(shown)].toSorted()).toEqual(types.toSorted())
})
