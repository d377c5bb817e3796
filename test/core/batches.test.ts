import { expect, test } from 'vitest'
import { createBatches } from '../../src/core/batches.ts'
import { createVirtualClock, settle } from '../fakes/virtual-clock.ts'

const REST = { restMs: 100, join: (before: string, next: string) => before + next }

function open() {
  const clock = createVirtualClock()
  const said: string[] = []
  const stop = new AbortController()
  const flush = (key: string, value: string): void => void said.push(`${key} ${value} ${clock.monotonicMs()}`)
  return { clock, said, stop, batches: createBatches({ ...REST, clock, flush }, stop.signal) }
}

test('the first word on a key goes at once, what follows soon goes together, and keys do not wait for each other', async () => {
  const { clock, said, batches } = open()
  for (const [key, value] of ['a1', 'a2', 'b1', 'a3'].map((word) => [word.charAt(0), word.charAt(1)] as const)) batches.add(key, value)
  expect(said).toEqual(['a 1 0', 'b 1 0'])
  await settle()
  await clock.advance(100)
  expect(said.slice(2)).toEqual(['a 23 100'])
  await clock.advance(200)
  batches.add('a', '4')
  expect(said.slice(3)).toEqual(['a 4 300'])
})

test('what is dropped is not said, and the next word waits no longer for it', async () => {
  const { clock, said, batches } = open()
  for (const value of ['1', '2']) batches.add('a', value)
  batches.drop('a')
  batches.add('a', '3')
  await settle()
  await clock.advance(100)
  expect(said).toEqual(['a 1 0', 'a 3 100'])
})

test('nothing is said after the end', async () => {
  const { clock, said, stop, batches } = open()
  for (const value of ['1', '2']) batches.add('a', value)
  await settle()
  stop.abort()
  await clock.advance(1000)
  expect(said).toEqual(['a 1 0'])
})
