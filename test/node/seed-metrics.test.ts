import { expect, test } from 'vitest'
import { toSourceId } from '../../src/core/model/ids.ts'
import { createSeedMetrics } from '../../src/node/seed/seed-metrics.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'

const artifact = (name: string) => ({ name, version: '1', platform: undefined, sha256: sha256Of(Buffer.from(name)), sizeBytes: 5 })
const peer = toSourceId('peer:a')

test('a seed shows what it offers, who took what, and what that cost', () => {
  const metrics = createSeedMetrics(() => ({ cpuSeconds: 1.5, residentBytes: 100 }))
  const lines = (): ReadonlyMap<string, string> =>
    new Map([...metrics.render().matchAll(/^sealift_seed_(\S+) (\S+)$/gm)].map(([, name = '', value = '']) => [name, value]))
  expect(lines().get('artifacts')).toBe('0')
  const failure = { code: 'input-invalid', path: 'x', detail: 'y' } as const
  metrics.add({ event: 'signaling', url: 'wss://a', isOnline: true, failure: undefined })
  metrics.add({ event: 'signaling', url: 'wss://b', isOnline: true, failure: undefined })
  metrics.add({ event: 'signaling', url: 'wss://b', isOnline: false, failure: undefined })
  for (const name of ['one', 'two', 'two', 'three']) metrics.add({ event: 'offered', artifact: artifact(name) })
  metrics.add({ event: 'withdrawn', artifact: artifact('one') })
  metrics.add({ event: 'refused', artifact: artifact('two'), failure })
  metrics.add({ event: 'site-refused', failure })
  for (const id of ['peer:a', 'peer:b']) metrics.add({ event: 'peer-met', peer: toSourceId(id) })
  metrics.add({ event: 'served', peer, artifact: artifact('three'), pieces: 3, pieceCount: 4 })
  metrics.add({ event: 'peer-left', peer, sentBytes: 70 })
  expect(Object.fromEntries(lines())).toEqual({
    artifacts: '1',
    signaling_online: '1',
    peers: '1',
    peers_met_total: '2',
    pieces_served_total: '3',
    sent_bytes_total: '70',
    refusals_total: '2',
    cpu_seconds_total: '1.5',
    resident_memory_bytes: '100',
  })
})
