/** One message on the wire: a 16-byte header with the fields that all types share, then payload. Described in docs/peer-protocol.md. */

import { DeliveryError } from '../errors.ts'
import { LIMITS } from '../limits.ts'

export const HEADER_BYTES = 16
/** Most payload that one frame carries. */
export const FRAME_PAYLOAD_BYTES = LIMITS.frameBytes - HEADER_BYTES

/** What `a` and `b` mean, each type says for itself. */
export interface FrameHeader {
  readonly flags: number
  readonly topic: number
  readonly requestId: number
  readonly a: number
  readonly b: number
}

export interface Frame {
  /** Number of the type. */
  readonly code: number
  readonly header: FrameHeader
  readonly payload: Uint8Array
}

/** A frame to send: fields that are left out are zero. */
export interface NewFrame {
  readonly code: number
  readonly header: Partial<FrameHeader>
  readonly payload: Uint8Array
}

const NO_HEADER: FrameHeader = { flags: 0, topic: 0, requestId: 0, a: 0, b: 0 }

/** Takes a frame apart, attacker-controlled. The payload is a view, not a copy. @throws {DeliveryError} `peer-frame` for a wrong length */
export function readFrame(bytes: Uint8Array): Frame {
  if (bytes.length < HEADER_BYTES || bytes.length > LIMITS.frameBytes) throw refuseFrame(`a frame of ${bytes.length} bytes`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES)
  return {
    code: view.getUint8(0),
    header: {
      flags: view.getUint8(1),
      topic: view.getUint16(2),
      requestId: view.getUint32(4),
      a: view.getUint32(8),
      b: view.getUint32(12),
    },
    payload: bytes.subarray(HEADER_BYTES),
  }
}

/**
 * @param room memory for a frame of any length, to be written over; default: new memory
 * @throws {RangeError} when a number or a payload does not fit its field
 */
export function writeFrame({ code, header, payload }: NewFrame, room?: ArrayBuffer): Uint8Array<ArrayBuffer> {
  const whole = { ...NO_HEADER, ...header }
  if (payload.length > FRAME_PAYLOAD_BYTES) throw new RangeError(`expected at most ${FRAME_PAYLOAD_BYTES} bytes, got ${payload.length}`)
  for (const [name, value] of Object.entries(whole)) {
    const limit = name === 'flags' ? 0x100 : name === 'topic' ? 0x10000 : 2 ** 32
    if (!Number.isInteger(value) || value < 0 || value >= limit) throw new RangeError(`expected ${name} below ${limit}, got ${value}`)
  }
  const length = HEADER_BYTES + payload.length
  const frame = room === undefined ? new Uint8Array(length) : new Uint8Array(room, 0, length)
  const view = new DataView(frame.buffer)
  view.setUint8(0, code)
  view.setUint8(1, whole.flags)
  view.setUint16(2, whole.topic)
  view.setUint32(4, whole.requestId)
  view.setUint32(8, whole.a)
  view.setUint32(12, whole.b)
  frame.set(payload, HEADER_BYTES)
  return frame
}

/** Every field but these must be zero, and the payload must have this length. @throws {DeliveryError} `peer-frame` */
export function requireOnly({ header, payload }: Frame, used: readonly (keyof FrameHeader)[], payloadBytes: number): void {
  if (payload.length !== payloadBytes) throw refuseFrame(`${payload.length} bytes of payload instead of ${payloadBytes}`)
  if (header.flags !== 0 && !used.includes('flags')) throw refuseFrame('an unknown flag')
  if (header.topic !== 0 && !used.includes('topic')) throw refuseFrame('a topic where none belongs')
  if (header.requestId !== 0 && !used.includes('requestId')) throw refuseFrame('a request id where none belongs')
  if ((header.a !== 0 && !used.includes('a')) || (header.b !== 0 && !used.includes('b'))) throw refuseFrame('a number where none belongs')
}

/** The error for a frame that breaks the protocol. The caller throws it. */
export function refuseFrame(detail: string): DeliveryError {
  return new DeliveryError({ code: 'peer-frame', detail })
}
