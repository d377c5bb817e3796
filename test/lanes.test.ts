import { expect, test } from 'vitest'
import { inLanes } from './drills/lanes.ts'

test('so many batches run at once, whoever is done takes the next, and what they bring keeps its order', async () => {
  const ends: (() => void)[] = []
  const started: number[] = []
  const batch = (at: number) => async (): Promise<readonly number[]> => {
    started.push(at)
    await new Promise<void>((resolve) => (ends[at] = resolve))
    return [at, at]
  }
  const all = inLanes([0, 1, 2].map(batch), 2)
  expect(started).toEqual([0, 1])
  ends[1]?.()
  await expect.poll(() => started).toEqual([0, 1, 2])
  ends[2]?.()
  ends[0]?.()
  expect(await all).toEqual([0, 0, 1, 1, 2, 2])
})

test('a batch that fails ends its lane, and is told of once the other has done the rest', async () => {
  const done: string[] = []
  const fine = async (): Promise<readonly string[]> => {
    done.push('fine')
    return []
  }
  await expect(inLanes([() => Promise.reject(new Error('no server')), fine, fine], 2)).rejects.toThrow('no server')
  expect(done).toEqual(['fine', 'fine'])
})
