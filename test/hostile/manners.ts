import { encodePeerMessage } from '../../src/core/wire/encode-peer-message.ts'
import type { Negotiation } from '../../src/core/wire/signal-message.ts'
import type { Manner, Wire } from './tampered-link.ts'

type Frame = Uint8Array<ArrayBuffer>

const OPENED = 4
const REQUEST = 7
const DATA = 9
const END = 10
const MIB = 2 ** 20
/** What a browser queues before a flood would only fill its own memory. */
const QUEUE_BYTES = MIB / 2
const BURST = 256

/** Every way in which a test peer behaves, by name. */
export const MANNERS = {
  honest: () => ({}),
  /** One bit of every piece is wrong. */
  pollutes: () => ({ gives: flipped }),
  /** Takes every request, and sends nothing. */
  stalls: () => ({ sends: (frame) => ([DATA, END].includes(frame[0] ?? 0) ? [] : [frame]) }),
  /** Takes every request, and sends a byte of it in a second. */
  trickles: createTrickle,
  /** Says that it has every piece, and refuses each that is asked for. */
  refuses: () => ({
    hears(frame, wire) {
      if (frame[0] !== REQUEST) return true
      wire.send(encodePeerMessage({ type: 'reject', requestId: numberAt(frame, 4), reason: 'absent', retryMs: 0 }))
      return false
    },
  }),
  /** Takes its offer back when it is asked, and makes it again at once. */
  recants: createRecanting,
  /** Has everything, and says that it has nothing. */
  denies: () => ({
    sends: (frame) => (frame[0] === OPENED ? [encodePeerMessage({ type: 'absent', topic: shortAt(frame, 2) })] : [frame]),
  }),
  /** Sends bytes that nobody asked for, as fast as they go. */
  floods: () => ({ greeted: (wire) => void pour(wire, () => dataFrame(randomWord(), 65_520)) }),
  /** Sends one frame that is longer than any may be. */
  oversizes: () => ({ greeted: (wire) => wire.send(new Uint8Array(65_537)) }),
  /** Asks, and asks again, as fast as it goes, and never reads an answer. */
  demands: () => ({
    greeted: (wire) => {
      wire.send(encodePeerMessage({ type: 'open', topic: 0, sha256: 'ab'.repeat(32) as never }))
      void pour(wire, () => requestFrame(randomWord()))
    },
    hears: (frame) => frame[0] === 1 || frame[0] === 2,
  }),
  /** Answers with bytes that are no message: of a type that nobody knows, and that must not be skipped. */
  garbles: () => ({
    sends: (frame) => (frame[0] === DATA ? [crypto.getRandomValues(new Uint8Array(1000)).fill(0xff, 0, 1).fill(0, 1, 2)] : [frame]),
  }),
  /** Names another certificate than its own. */
  forges: () => ({ negotiates: forged }),
  /** Answers everything but the last piece of the artifact. */
  withholds: createWithholding,
} as const satisfies Readonly<Record<string, (artifact: { readonly pieces: number }) => Manner>>

export type MannerName = keyof typeof MANNERS

function flipped(bytes: Frame): Frame {
  const copy = bytes.slice()
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1
  return copy
}

function createRecanting(): Manner {
  let offer: Frame | undefined
  return {
    sends(frame) {
      if (frame[0] === OPENED) offer = frame.slice()
      return [frame]
    },
    hears(frame, wire) {
      if (frame[0] !== REQUEST) return true
      wire.send(encodePeerMessage({ type: 'absent', topic: shortAt(frame, 2) }))
      wire.send(encodePeerMessage({ type: 'reject', requestId: numberAt(frame, 4), reason: 'absent', retryMs: 0 }))
      if (offer !== undefined) wire.send(offer.slice())
      return false
    },
  }
}

function createTrickle(): Manner {
  return {
    sends(frame, wire) {
      if (frame[0] === END) return []
      if (frame[0] !== DATA || numberAt(frame, 12) !== 0) return frame[0] === DATA ? [] : [frame]
      let sent = 0
      const timer = setInterval(() => {
        if (wire.isClosed || sent >= frame.length - 16) return clearInterval(timer)
        const one = frame.slice(0, 17)
        new DataView(one.buffer).setUint32(12, sent)
        one[16] = frame[16 + sent] ?? 0
        sent++
        wire.send(one)
      }, 1000)
      return []
    },
  }
}

function createWithholding({ pieces }: { readonly pieces: number }): Manner {
  const withheld = new Set<number>()
  return {
    hears(frame) {
      if (frame[0] === REQUEST && numberAt(frame, 8) === pieces - 1) withheld.add(numberAt(frame, 4))
      return true
    },
    sends: (frame) => ([DATA, END].includes(frame[0] ?? 0) && withheld.has(numberAt(frame, 4)) ? [] : [frame]),
  }
}

/** As many frames as the channel takes, until it is closed. */
async function pour(wire: Wire, next: () => Frame): Promise<void> {
  while (!wire.isClosed) {
    for (let burst = 0; burst < BURST && !wire.isClosed && wire.bufferedBytes < QUEUE_BYTES; burst++) wire.send(next())
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

function dataFrame(requestId: number, payloadBytes: number): Frame {
  const frame = new Uint8Array(16 + payloadBytes)
  frame[0] = DATA
  new DataView(frame.buffer).setUint32(4, requestId)
  return frame
}

function requestFrame(requestId: number): Frame {
  const frame = new Uint8Array(20)
  const view = new DataView(frame.buffer)
  frame[0] = REQUEST
  view.setUint32(4, requestId)
  view.setUint32(16, 65_536)
  return frame
}

function forged(said: Negotiation): Negotiation {
  if (said.kind !== 'offer' && said.kind !== 'answer') return said
  const sdp = said.sdp.sdp.replace(
    /(a=fingerprint:sha-256 )(..)/,
    (_, head: string, first: string) => `${head}${first === '00' ? '01' : '00'}`,
  )
  return { ...said, sdp: { ...said.sdp, sdp } }
}

function randomWord(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
}

function numberAt(frame: Uint8Array, at: number): number {
  return new DataView(frame.buffer, frame.byteOffset).getUint32(at)
}

function shortAt(frame: Uint8Array, at: number): number {
  return new DataView(frame.buffer, frame.byteOffset).getUint16(at)
}
