import { describe, expect, test } from 'vitest'
import { toSourceId } from '../../../src/core/model/ids.ts'
import { firstWave, modeFor, nextWave, type Admitted, type Candidate } from '../../../src/core/plan/admission.ts'
import type { Tier } from '../../../src/core/ports.ts'

const MIB = 2 ** 20

function candidate(id: string, over: Partial<Candidate> = {}): Candidate {
  const tier: Tier = id.startsWith('cdn') ? 'cdn' : id.startsWith('gateway') ? 'gateway' : 'mesh'
  return { id: toSourceId(id), tier, isUsable: true, isReady: true, isLeftBehind: false, ...over }
}

const all = ['cdn-1', 'cdn-2', 'gateway', 'peer:a', 'peer:b'].map((id) => candidate(id))
const admitted = (...ids: string[]): ReadonlySet<Admitted> => new Set(ids.map((id) => (id === 'mesh' ? 'mesh' : toSourceId(id))))

test.each([
  ['critical and small: a race', 'critical', MIB, 'race'],
  ['critical and large: like any other', 'critical', 8 * MIB, 'parallel'],
  ['8 MiB and more: in parallel', 'normal', 8 * MIB, 'parallel'],
  ['in between: one after the other', 'normal', 8 * MIB - 1, 'hedged'],
] as const)('%s', (_what, priority, sizeBytes, mode) => {
  expect(modeFor({ priority, sizeBytes })).toBe(mode)
})

describe('who starts', () => {
  test('hedged: the first alone', () => {
    expect(firstWave(all, 'hedged')).toEqual(['cdn-1'])
  })

  test('in parallel: the whole first tier, and no other', () => {
    expect(firstWave(all, 'parallel')).toEqual(['cdn-1', 'cdn-2'])
  })

  test('in a race: every HTTP source, but no stranger', () => {
    expect(firstWave(all, 'race')).toEqual(['cdn-1', 'cdn-2', 'gateway'])
  })

  test('four at once are enough', () => {
    const many = Array.from({ length: 9 }, (_, at) => candidate(`cdn-${at}`))
    expect(firstWave(many, 'parallel')).toHaveLength(4)
  })

  test('peers together, where there is nobody else', () => {
    expect(new Set(firstWave([candidate('peer:a'), candidate('peer:b')], 'race'))).toEqual(admitted('mesh'))
  })

  test('not the one that rests or is out of favour, while another is ready', () => {
    expect(firstWave([candidate('cdn-1', { isReady: false }), ...all.slice(1)], 'hedged')).toEqual(['cdn-2'])
  })

  test('even that one, when there is no other', () => {
    expect(firstWave([candidate('cdn-1', { isReady: false })], 'hedged')).toEqual(['cdn-1'])
  })

  test('nobody, when nobody is of use', () => {
    expect(firstWave([candidate('cdn-1', { isReady: false, isUsable: false })], 'parallel')).toEqual([])
  })
})

describe('who joins one that is in trouble', () => {
  test('the next one', () => {
    expect(nextWave(all, admitted('cdn-1'), toSourceId('cdn-1'))).toEqual(['cdn-2'])
    const behind = all.map((one) => ({ ...one, isLeftBehind: one.tier === 'cdn' }))
    expect(nextWave(behind, admitted('cdn-1', 'cdn-2', 'gateway'), toSourceId('gateway'))).toEqual(['mesh'])
  })

  test('nobody, while another one works and is well, before it or after it', () => {
    expect(nextWave(all, admitted('cdn-1', 'cdn-2'), toSourceId('cdn-1'))).toEqual([])
    expect(nextWave(all, admitted('cdn-1', 'cdn-2'), toSourceId('cdn-2'))).toEqual([])
  })

  test('the next one, when that one was in trouble itself', () => {
    const before = all.map((one) => (one.id === 'cdn-1' ? { ...one, isLeftBehind: true } : one))
    expect(nextWave(before, admitted('cdn-1', 'cdn-2'), toSourceId('cdn-2'))).toEqual(['gateway'])
  })

  test('the one after, when that one is in trouble too', () => {
    const troubled = all.map((one) => (one.id === 'cdn-2' ? { ...one, isReady: false } : one))
    expect(nextWave(troubled, admitted('cdn-1', 'cdn-2'), toSourceId('cdn-1'))).toEqual(['gateway'])
  })

  test('a source that came late keeps nobody out who was let in before', () => {
    const late = [candidate('cdn-1'), candidate('gateway-late'), candidate('peer:a')]
    const before = admitted('cdn-1', 'mesh')
    expect(nextWave(late, before, toSourceId('cdn-1'))).toEqual([])
    expect(before.has('mesh')).toBe(true)
  })
})
