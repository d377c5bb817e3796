import { expect, test } from 'vitest'
import { readLines } from '../../src/node/read-lines.ts'
import { never } from './publish-fixture.ts'

const LIMIT = 5

async function linesOf(chunks: readonly string[], limitBytes = LIMIT): Promise<readonly (readonly [number, string | undefined])[]> {
  async function* stream() {
    for (const chunk of chunks) yield Buffer.from(chunk)
  }
  const lines: (readonly [number, string | undefined])[] = []
  for await (const { number, bytes } of readLines(stream(), limitBytes, never))
    lines.push([number, bytes === undefined ? undefined : Buffer.from(bytes).toString()])
  return lines
}

test.each<readonly [string, readonly string[], readonly (readonly [number, string | undefined])[]]>([
  [
    'one chunk',
    ['ab\ncd\n'],
    [
      [1, 'ab'],
      [2, 'cd'],
    ],
  ],
  [
    'chunks that cut lines and line ends',
    ['a', 'b', '\n', 'c', 'd\nef'],
    [
      [1, 'ab'],
      [2, 'cd'],
      [3, 'ef'],
    ],
  ],
  [
    'empty lines',
    ['\nab\n\n\ncd\n\n'],
    [
      [2, 'ab'],
      [5, 'cd'],
    ],
  ],
  [
    'line ends of two characters',
    ['ab\r\ncd\r', '\n'],
    [
      [1, 'ab'],
      [2, 'cd'],
    ],
  ],
  [
    'lines as long as may be, and longer',
    ['abcde\nabcdef\nab', 'cd', 'ef\nab'],
    [
      [1, 'abcde'],
      [2, undefined],
      [3, undefined],
      [4, 'ab'],
    ],
  ],
  ['nothing', [], []],
])('reads lines from %s', async (_what, chunks, lines) => {
  expect(await linesOf(chunks)).toEqual(lines)
})

test('holds no more of a line than may be held, however long it is', async () => {
  const chunk = Buffer.alloc(1024 * 1024, 0x61)
  async function* endless() {
    for (let at = 0; at < 512; at++) yield chunk
  }
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  async function* watched() {
    for await (const one of endless()) {
      yield one
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    }
  }
  for await (const line of readLines(watched(), 4 * chunk.length, never)) expect(line).toEqual({ number: 1, bytes: undefined })
  expect(most).toBeLessThan(128 * chunk.length)
})

test('ends with the reason that it is given', async () => {
  const stop = new AbortController()
  const reason = new Error('the user left')
  async function* stream() {
    yield Buffer.from('ab\n')
    stop.abort(reason)
    yield Buffer.from('cd\n')
  }
  const read = async () => {
    for await (const line of readLines(stream(), LIMIT, stop.signal)) expect(line.number).toBe(1)
  }
  await expect(read()).rejects.toBe(reason)
})
