import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { createGate } from '../../src/scheduler/gate.ts'

const never = new AbortController().signal

describe('a gate', () => {
  test('wakes everybody who waits, and who waits again waits for the next opening', async () => {
    const gate = createGate()
    let turns = 0
    const wait = async (): Promise<void> => {
      await gate.wait(never)
      turns++
    }
    const first = Promise.all([wait(), wait()])
    gate.open()
    const second = wait()
    await first
    expect(turns).toBe(2)
    gate.open()
    await second
    expect(turns).toBe(3)
  })

  test('rejects with the abort reason itself, for those alone who wait under that signal', async () => {
    const gate = createGate()
    const stop = new AbortController()
    const stopped = Promise.allSettled([gate.wait(stop.signal), gate.wait(stop.signal)])
    const other = gate.wait(never)
    const reason = { why: 'the user left' }
    stop.abort(reason)
    expect((await stopped).map((one) => (one.status === 'rejected' ? one.reason : undefined))).toEqual([reason, reason])
    await expect(gate.wait(stop.signal)).rejects.toBe(reason)
    gate.open()
    await other
  })

  test('has one listener at a signal however many wait, and none when nobody does', async () => {
    const gate = createGate()
    const { signal } = new AbortController()
    const waits = Promise.all(Array.from({ length: 50 }, () => gate.wait(signal)))
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    gate.open()
    await waits
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})
