import { fromHex } from '../verify/digest.ts'
import { writeFrame, type NewFrame } from './peer-frame.ts'
import { BYE_CODES, FLAG_ALL, MESSAGE_CODES, REJECT_CODES, type PeerMessage } from './peer-message.ts'

type Parts = Omit<NewFrame, 'code'>

const NO_PAYLOAD = new Uint8Array()

/**
 * One frame.
 * @param room memory to write it into, as `writeFrame` does
 * @throws {RangeError} when a number or a payload does not fit its field
 */
export function encodePeerMessage(message: PeerMessage, room?: ArrayBuffer): Uint8Array<ArrayBuffer> {
  return writeFrame({ code: MESSAGE_CODES[message.type], ...partsOf(message) }, room)
}

function partsOf(message: PeerMessage): Parts {
  switch (message.type) {
    case 'hello':
      return { header: { a: message.version }, payload: message.nonce }
    case 'proof':
      return { header: {}, payload: message.mac }
    case 'open':
      return { header: { topic: message.topic }, payload: fromHex(message.sha256) }
    case 'opened':
      return openedParts(message)
    case 'absent':
      return { header: { topic: message.topic }, payload: NO_PAYLOAD }
    case 'have':
      return { header: { topic: message.topic, a: message.piece }, payload: NO_PAYLOAD }
    case 'bye':
      return { header: { a: BYE_CODES[message.reason] }, payload: NO_PAYLOAD }
    default:
      return requestParts(message)
  }
}

function requestParts(message: Extract<PeerMessage, { readonly requestId: number }>): Parts {
  const { requestId } = message
  switch (message.type) {
    case 'request': {
      const payload = new Uint8Array(4)
      new DataView(payload.buffer).setUint32(0, message.creditBytes)
      return { header: { topic: message.topic, requestId, a: message.piece, b: message.fromOffset }, payload }
    }
    case 'data':
      return { header: { requestId, a: message.piece, b: message.offset }, payload: message.bytes }
    case 'credit':
      return { header: { requestId, a: message.bytes }, payload: NO_PAYLOAD }
    case 'reject':
      return { header: { requestId, a: REJECT_CODES[message.reason], b: message.retryMs }, payload: NO_PAYLOAD }
    case 'catalogue-request':
      return { header: { requestId, a: message.limitBytes, b: message.trust }, payload: NO_PAYLOAD }
    case 'catalogue':
      return { header: { requestId, a: message.offset, b: message.totalBytes }, payload: message.bytes }
    case 'end':
    case 'cancel':
    case 'ping':
    case 'pong':
      return { header: { requestId }, payload: NO_PAYLOAD }
  }
}

function openedParts(message: Extract<PeerMessage, { readonly type: 'opened' }>): Parts {
  const { topic, pieceLengthBytes, pieces } = message
  const header = { topic, a: pieceLengthBytes, b: pieces.length }
  return pieces.isFull() ? { header: { ...header, flags: FLAG_ALL }, payload: NO_PAYLOAD } : { header, payload: pieces.toBytes() }
}
