import { LIMITS, REPORT_REASONS } from 'sealift/protocol'
import { chanceOf, type Chance } from './chance.ts'
import { changeJsonText, changeText } from './json-changes.ts'

/** What a message is made of: genuine values, so that most of each message is one that a server takes. */
export interface SignalParts {
  readonly swarms: readonly string[]
  /** Peers of the room, or that were in it. */
  readonly peers: readonly string[]
  /** Shown before: good ones, spent ones, and ones of others. */
  readonly credentials: readonly string[]
  readonly resumes: readonly string[]
}

/** A text as it may come to a signaling server. The same for the same parts, seed and index. */
export function signalTextOf(parts: SignalParts, seed: number, index: number): string {
  const chance = chanceOf(seed, index)
  const text = hostileText(parts, chance)
  // The server closes on longer ones before it reads them: a few are enough.
  return Buffer.byteLength(text) <= LIMITS.signalBytes || chance.oneIn(50) ? text : text.slice(0, 4000)
}

function hostileText(parts: SignalParts, chance: Chance): string {
  switch (chance.below(8)) {
    case 0:
      return chance.pick(NEVER_MESSAGES)
    case 1:
      return huge(chance)
    case 2:
      return changeText(genuine(parts, chance), chance)
    case 3:
      return spoofed(parts, chance)
    case 4:
      // A good message at a bad moment, or by somebody who may not send it.
      return genuine(parts, chance)
    default:
      return changeJsonText(genuine(parts, chance), genuine(parts, chance), chance)
  }
}

/** Texts that nobody should take for a message, whatever stood before. */
export const NEVER_MESSAGES: readonly string[] = [
  'null',
  '[]',
  '0',
  '""',
  '',
  '{',
  '\u0000',
  '{"type":null}',
  '{"type":{"toString":null}}',
  '{"__proto__":null}',
  '{"type":"sig","sdp":null}',
  '{"type":"join","swarm":["x"],"role":{}}',
  '['.repeat(16_000),
  `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`,
  `"${'\\u0000'.repeat(2700)}"`,
  `{"type":"join","swarm":"${'A'.repeat(16_000)}","role":"leech"}`,
  `[${'1e308,'.repeat(2600)}1]`,
]

function huge(chance: Chance): string {
  const filler = chance.pick(['A', '\\u0000', '{"a":', '[', '1e308,', '\u{1F4A9}', '"x":null,'])
  const length = chance.oneIn(10) ? chance.below(2 * LIMITS.signalBytes) : chance.below(1000)
  const inside = filler.repeat(Math.ceil(length / filler.length))
  return chance.pick([inside, `{"type":"${inside}"}`, `{"type":"sig","sdp":{"type":"offer","sdp":"${inside}"}}`, `[${inside}`])
}

/** It claims what is the server's to say: who sends it, and what only a server sends. */
function spoofed(parts: SignalParts, chance: Chance): string {
  const peer = chance.pick(parts.peers)
  const swarm = chance.pick(parts.swarms)
  return JSON.stringify(
    chance.pick([
      { type: 'sig', swarm, sid: '1', kind: 'end', from: peer, to: chance.pick(parts.peers), id: peer },
      { type: 'peer-left', swarm, id: peer },
      { type: 'peers', swarm, peers: [{ id: peer, role: 'seed', lan: true }] },
      { type: 'welcome', id: peer, resume: chance.pick(parts.resumes), ice: [], serverTime: 0 },
      { type: 'drain', retryMs: 0 },
      { type: 'error', code: 'replaced', fatal: true },
      { type: 'report', peer, swarm, reason: chance.pick(REPORT_REASONS), from: peer },
    ]),
  )
}

function genuine(parts: SignalParts, chance: Chance): string {
  const swarm = chance.pick(parts.swarms)
  const to = chance.pick(parts.peers)
  const sdp = 'v=0\r\n'
  const candidate = { candidate: '', sdpMid: '0', sdpMLineIndex: 0 }
  return JSON.stringify(
    chance.pick([
      { type: 'hello', v: 1, ticket: chance.pick(parts.credentials) },
      { type: 'hello', v: 1, token: chance.pick(parts.credentials), resume: chance.pick(parts.resumes) },
      { type: 'hello', v: 1, ticket: chance.pick(parts.credentials), rooms: [{ swarm, role: chance.pick(['leech', 'seed']) }] },
      { type: 'join', swarm, role: chance.pick(['leech', 'seed']) },
      { type: 'leave', swarm },
      { type: 'sig', swarm, sid: 'try-1', kind: 'offer', sdp: { type: 'offer', sdp }, to },
      { type: 'sig', swarm, sid: 'try-1', kind: 'answer', sdp: { type: 'answer', sdp }, to },
      { type: 'sig', swarm, sid: 'try-1', kind: 'candidate', candidate, to },
      { type: 'report', peer: to, swarm, reason: chance.pick(REPORT_REASONS) },
    ]),
  )
}
