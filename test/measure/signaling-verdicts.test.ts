import { describe, expect, test } from 'vitest'
import { signalingVerdicts } from './signaling-verdicts.ts'

describe('the verdicts of the signaling bench', () => {
  const sealift = { server: 'sealift', sockets: 10_000, rssMiB: 200, kibPerSocket: 15, joinCpuMs: 0.4, relaysPerCpuS: 10_000 }

  test('hold at the limit, and at what the tracker does', () => {
    const lines = signalingVerdicts([sealift, { ...sealift, server: 'bittorrent-tracker' }])
    expect(lines).toHaveLength(5)
    for (const line of lines) expect(line).toMatch(/^holds /)
  })

  test('are missed beyond it', () => {
    const rival = { ...sealift, server: 'bittorrent-tracker', kibPerSocket: 15, joinCpuMs: 0.39, relaysPerCpuS: 10_001 }
    const lines = signalingVerdicts([{ ...sealift, rssMiB: 200.1, kibPerSocket: 15.1 }, rival])
    expect(lines).toHaveLength(5)
    for (const line of lines) expect(line).toMatch(/^MISSED /)
  })

  test('say nothing of the memory of fewer sockets', () => {
    expect(signalingVerdicts([{ ...sealift, sockets: 100, rssMiB: 1000 }])).toEqual(['100 sockets say nothing of the limits at 10000'])
  })
})
