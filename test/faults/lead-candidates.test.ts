import { expect, test } from 'vitest'
import { leadCandidates } from './lead-candidates.ts'

const shift = async (port: number): Promise<number> => port + 1

test('a candidate leads to the relay, under its own name', async () => {
  const said = { type: 'sig', candidate: { candidate: 'candidate:842 1 udp 2113937151 6f1c.local 51000 typ host generation 0' } }
  const text = await leadCandidates(JSON.stringify(said), shift)
  expect(JSON.parse(text).candidate.candidate).toBe('candidate:842 1 udp 2113937151 6f1c.local 51001 typ host generation 0')
})

test('so does each candidate of a description, and nothing else in it changes', async () => {
  const sdp = [
    'v=0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'a=candidate:1 1 UDP 2122252543 10.0.0.4 40000 typ host',
    'a=sctp-port:5000',
    '',
  ]
  const text = await leadCandidates(JSON.stringify({ offers: [{ offer: { sdp: sdp.join('\r\n') } }] }), shift)
  expect(JSON.parse(text).offers[0].offer.sdp).toBe(sdp.join('\r\n').replace('40000', '40001'))
})
