import { expect, test } from 'vitest'
import { readLinkStats, STATS_TIMEOUT_MS } from '../../../src/sources/mesh/link-stats.ts'
import { createVirtualClock } from '../../fakes/virtual-clock.ts'
import { never } from './sessions.ts'

const NOTHING = { sentBytes: 0, receivedBytes: 0, path: 'unknown', roundTripMs: undefined }

test('a stack that never counts is not waited for longer than a second', async () => {
  const clock = createVirtualClock()
  const peer = { destroyed: false, getStats: () => undefined }
  const stats = readLinkStats(peer, clock, never)
  await clock.advance(STATS_TIMEOUT_MS)
  expect(await stats).toEqual(NOTHING)
})

test('a link that closes while its stack counts holds nobody up', async () => {
  const clock = createVirtualClock()
  const over = new AbortController()
  const stats = readLinkStats({ destroyed: false, getStats: () => undefined }, clock, over.signal)
  over.abort()
  expect(await stats).toEqual(NOTHING)
  expect(clock.sleeping).toBe(0)
})

test('a stack that fails to count is as one that is gone', async () => {
  const fails = (): never => {
    throw new Error('the connection is closed')
  }
  expect(await readLinkStats({ destroyed: false, getStats: fails }, createVirtualClock(), never)).toEqual(NOTHING)
})

test('what the data channel counted, and over which path', async () => {
  const reports = [
    { type: 'data-channel', bytesSent: 5, bytesReceived: 7 },
    { type: 'transport', selectedCandidatePairId: 'p' },
    { type: 'candidate-pair', id: 'p', localCandidateId: 'l', remoteCandidateId: 'r', currentRoundTripTime: 0.004 },
    { id: 'l', type: 'local-candidate', candidateType: 'host' },
    { id: 'r', type: 'remote-candidate', candidateType: 'host' },
  ]
  const getStats = (done: (error: null, reports: unknown) => void): void => done(null, reports)
  expect(await readLinkStats({ destroyed: false, getStats }, createVirtualClock(), never)).toEqual({
    sentBytes: 5,
    receivedBytes: 7,
    path: 'lan',
    roundTripMs: 4,
  })
})
