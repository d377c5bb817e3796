import { failureOf } from '../../src/core/errors.ts'
import { createBitfield } from '../../src/core/model/bitfield.ts'
import { toPieceIndex } from '../../src/core/model/ids.ts'
import { encodePeerMessage } from '../../src/core/wire/encode-peer-message.ts'
import { parsePeerMessage } from '../../src/core/wire/parse-peer-message.ts'
import { MESSAGE_CODES, type PeerMessage } from '../../src/core/wire/peer-message.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { chanceOf, type Chance } from './chance.ts'

type Frame = Uint8Array<ArrayBuffer>

const CODES = Object.values(MESSAGE_CODES)
const EDGES = [0, 1, 2, 3, 15, 16, 0xff, 0x100, 0x7fff, 0xffff, 0x1_0000, 0x3f_ffff, 0x7fff_ffff, 0xffff_ffff]

/** A frame as it may come: noise, a header of extremes, or a good message with some of its bytes changed. The same for the same seed and index. */
export function frameOf(seed: number, index: number): Frame {
  const chance = chanceOf(seed, index)
  switch (chance.below(4)) {
    case 0:
      return noise(chance)
    case 1:
      return extremes(chance)
    default:
      return changed(chance)
  }
}

function noise(chance: Chance): Frame {
  const frame = new Uint8Array(lengthOf(chance))
  fill(frame, chance, 0)
  if (frame.length > 0 && !chance.oneIn(4)) frame[0] = chance.pick(CODES)
  return frame
}

function extremes(chance: Chance): Frame {
  const frame = new Uint8Array(16 + (chance.oneIn(3) ? 0 : lengthOf(chance)))
  const view = new DataView(frame.buffer)
  view.setUint8(0, chance.pick(CODES))
  view.setUint8(1, chance.pick([0, 0, 0, 1, 2, 3, 255]))
  view.setUint16(2, chance.pick(EDGES) & 0xffff)
  for (const at of [4, 8, 12]) view.setUint32(at, chance.pick(EDGES))
  fill(frame, chance, 16)
  return frame
}

function changed(chance: Chance): Frame {
  const frame = encodePeerMessage(chance.pick(MESSAGES))
  if (chance.oneIn(8)) return frame
  if (chance.oneIn(4)) return frame.slice(0, chance.below(frame.length + 1))
  if (chance.oneIn(6)) {
    const longer = new Uint8Array(frame.length + 1 + chance.below(8))
    longer.set(frame)
    return longer
  }
  for (let times = 1 + chance.below(3); times > 0; times--) {
    // Headers say more than payloads.
    const at = chance.oneIn(4) ? chance.below(frame.length) : chance.below(Math.min(16, frame.length))
    frame[at] = (frame[at] ?? 0) ^ (1 << chance.below(8))
  }
  return frame
}

/** Mostly short: most of what a parser decides, it decides in the header. */
function lengthOf(chance: Chance): number {
  if (chance.oneIn(2000)) return LIMITS.frameBytes - 2 + chance.below(5)
  return chance.oneIn(40) ? chance.below(4096) : chance.below(64)
}

function fill(frame: Uint8Array, chance: Chance, from: number): void {
  for (let at = from; at < Math.min(frame.length, from + 64); at++) frame[at] = chance.below(256)
}

export interface FrameTally {
  count: number
  parsed: number
  skipped: number
  refused: number
  /** Anything else was thrown. */
  uncaught: number
  /** What was parsed holds more than came. */
  oversized: number
  /** The first input of each finding, in hexadecimal. */
  readonly findings: string[]
}

export function newFrameTally(): FrameTally {
  return { count: 0, parsed: 0, skipped: 0, refused: 0, uncaught: 0, oversized: 0, findings: [] }
}

/** Parses one frame, and counts what came of it. */
export function judgeFrame(frame: Uint8Array, tally: FrameTally): void {
  tally.count++
  try {
    const message = parsePeerMessage(frame)
    if (message === undefined) tally.skipped++
    else {
      tally.parsed++
      if (!isWithin(message, frame)) note(tally, 'oversized', frame)
    }
  } catch (error) {
    if (failureOf(error)?.code === 'peer-frame') tally.refused++
    else note(tally, 'uncaught', frame)
  }
}

/** Bytes are views of the frame; what is not a view is no longer than what a frame may name. */
function isWithin(message: PeerMessage, frame: Uint8Array): boolean {
  for (const value of Object.values(message)) if (value instanceof Uint8Array && value.buffer !== frame.buffer) return false
  // One bit for each piece of the longest piece list: what ALL, in a frame of 16 bytes, stands for.
  return message.type !== 'opened' || message.pieces.length <= Math.max(LIMITS.pieceListBytes / 32, (frame.length - 16) * 8)
}

export function note(tally: FrameTally, kind: 'uncaught' | 'oversized', frame: Uint8Array): void {
  tally[kind]++
  if (tally.findings.length < 20) tally.findings.push(`${kind}: ${Buffer.from(frame).toString('hex').slice(0, 200)}`)
}

const piece = toPieceIndex(3)
const bytes = new Uint8Array(32).fill(7)
const some = createBitfield(20)
some.add(piece)

const MESSAGES: readonly PeerMessage[] = [
  { type: 'hello', version: 1, nonce: bytes },
  { type: 'proof', mac: bytes },
  { type: 'open', topic: 0, sha256: 'ab'.repeat(32) as Extract<PeerMessage, { readonly type: 'open' }>['sha256'] },
  { type: 'opened', topic: 0, pieceLengthBytes: 65_536, pieces: some },
  { type: 'absent', topic: 0 },
  { type: 'have', topic: 0, piece },
  { type: 'request', topic: 0, requestId: 9, piece, fromOffset: 0, creditBytes: 65_536 },
  { type: 'credit', requestId: 9, bytes: 65_536 },
  { type: 'data', requestId: 9, piece, offset: 0, bytes },
  { type: 'end', requestId: 9 },
  { type: 'cancel', requestId: 9 },
  { type: 'reject', requestId: 9, reason: 'busy', retryMs: 500 },
  { type: 'catalogue-request', requestId: 9, limitBytes: 2 ** 21, trust: 0 },
  { type: 'catalogue', requestId: 9, offset: 0, totalBytes: 32, bytes },
  { type: 'ping', requestId: 9 },
  { type: 'pong', requestId: 9 },
  { type: 'bye', reason: 'leaving' },
]
