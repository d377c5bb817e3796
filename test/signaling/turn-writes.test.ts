import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { createTurnWrites } from '../../signaling/turn-writes.ts'

/** A line that notes how many writes went into each system call. */
function countingLine(): { readonly line: Duplex; readonly calls: number[] } {
  const calls: number[] = []
  const line = new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      calls.push(1)
      done()
    },
    writev(chunks, done) {
      calls.push(chunks.length)
      done()
    },
  })
  return { line, calls }
}

test('all that is said to one in one turn goes out at its end, in one system call', () => {
  const ends: (() => void)[] = []
  const turn = createTurnWrites((release) => ends.push(release))
  const [first, second] = [countingLine(), countingLine()]
  for (const { line } of [first, second, first]) {
    turn.hold(line)
    line.write('said')
  }
  expect([first.calls, second.calls]).toEqual([[], []])
  expect(ends).toHaveLength(1)
  ends[0]?.()
  expect([first.calls, second.calls]).toEqual([[2], [1]])
  // And the next turn is another one.
  turn.hold(first.line)
  expect(ends).toHaveLength(2)
})

test('what is let go of early goes out at once, and what follows in the same turn with the next', () => {
  const turn = createTurnWrites(() => undefined)
  const { line, calls } = countingLine()
  turn.hold(line)
  line.write('much')
  turn.release(line)
  expect(calls).toEqual([1])
  line.write('more')
  expect(calls).toEqual([1, 1])
  turn.release(line)
})

test('a line that ends in its turn says what was held', () => {
  const ends: (() => void)[] = []
  const turn = createTurnWrites((release) => ends.push(release))
  const { line, calls } = countingLine()
  turn.hold(line)
  line.end('the last word')
  line.destroy()
  ends[0]?.()
  expect(calls).toEqual([1])
})
