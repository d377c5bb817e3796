import { describe, expect, test } from 'vitest'
import { Agenda, type Due } from '../../signaling/agenda.ts'

const SLOT_MS = 500

function item(): Due {
  return { slot: undefined, place: undefined }
}

describe('an agenda', () => {
  test('has everything looked at when its time comes, and nothing more than a slot before', () => {
    const agenda = new Agenda<Due & { readonly atMs: number; seenAtMs: number | undefined }>(SLOT_MS)
    const items = Array.from({ length: 100 }, (_, i) => ({ ...item(), atMs: i * 97, seenAtMs: undefined as number | undefined }))
    for (const one of items) agenda.set(one, one.atMs)
    for (let nowMs = 0; nowMs < 12_000; nowMs += SLOT_MS)
      agenda.sweep(nowMs, (one) => {
        one.seenAtMs ??= nowMs
        return Number.POSITIVE_INFINITY
      })
    for (const { atMs, seenAtMs = -1 } of items) expect(Math.abs(seenAtMs - atMs)).toBeLessThan(SLOT_MS)
  })

  test('forgets what is deleted, moves what is set again, and counts each once, while it is being looked at too', () => {
    const agenda = new Agenda<Due>(SLOT_MS)
    const [a, b, c] = [item(), item(), item()]
    for (const one of [a, b, c]) agenda.set(one, 0)
    const seen: Due[] = []
    agenda.sweep(0, (one) => {
      seen.push(one)
      if (one === a) {
        agenda.delete(b)
        agenda.set(c, 5000)
      }
      return 1000
    })
    expect(seen).toEqual([a])
    expect(agenda.size).toBe(2)
    expect(new Set(agenda.all)).toEqual(new Set([a, c]))
    const later: Due[] = []
    agenda.sweep(1000, (one) => {
      later.push(one)
      return 9000
    })
    expect(later).toContain(a)
    expect(later).not.toContain(b)
  })
})
