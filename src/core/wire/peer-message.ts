/** What two peers say over one ordered data channel. Described in docs/peer-protocol.md. */

import { LIMITS } from '../limits.ts'
import type { Bitfield } from '../model/bitfield.ts'
import type { PieceIndex, Sha256 } from '../model/ids.ts'

export const PEER_PROTOCOL_VERSION = 1
/** Most pieces that a topic may claim: as many as the longest piece list holds. */
export const TOPIC_PIECES = LIMITS.pieceListBytes / 32

/** Why a request is not served. */
export type RejectReason = 'busy' | 'absent' | 'failed'
/** Why a peer leaves. */
export type ByeReason = 'leaving' | 'protocol' | 'proof' | 'banned' | 'idle' | 'full'

/** A topic is one blob. Whoever opens it numbers it; HAVE, OPENED and ABSENT answer with that number. */
export type PeerMessage =
  | { readonly type: 'hello'; readonly version: number; readonly nonce: Uint8Array }
  | { readonly type: 'proof'; readonly mac: Uint8Array }
  | { readonly type: 'open'; readonly topic: number; readonly sha256: Sha256 }
  | { readonly type: 'opened'; readonly topic: number; readonly pieceLengthBytes: number; readonly pieces: Bitfield }
  | { readonly type: 'absent'; readonly topic: number }
  | { readonly type: 'have'; readonly topic: number; readonly piece: PieceIndex }
  | {
      readonly type: 'request'
      readonly topic: number
      readonly requestId: number
      readonly piece: PieceIndex
      readonly fromOffset: number
      readonly creditBytes: number
    }
  | { readonly type: 'credit'; readonly requestId: number; readonly bytes: number }
  | {
      readonly type: 'data'
      readonly requestId: number
      readonly piece: PieceIndex
      readonly offset: number
      readonly bytes: Uint8Array
    }
  /** Nothing more comes for this request: it is served, or its cancellation is heard. */
  | { readonly type: 'end'; readonly requestId: number }
  | { readonly type: 'cancel'; readonly requestId: number }
  | { readonly type: 'reject'; readonly requestId: number; readonly reason: RejectReason; readonly retryMs: number }
  /** `trust` 0: the catalogue; else the trust update of this number. */
  | { readonly type: 'catalogue-request'; readonly requestId: number; readonly limitBytes: number; readonly trust: number }
  | {
      readonly type: 'catalogue'
      readonly requestId: number
      readonly offset: number
      readonly totalBytes: number
      readonly bytes: Uint8Array
    }
  | { readonly type: 'ping'; readonly requestId: number }
  | { readonly type: 'pong'; readonly requestId: number }
  | { readonly type: 'bye'; readonly reason: ByeReason }

/** The first byte of a frame. */
export const MESSAGE_CODES = {
  hello: 1,
  proof: 2,
  open: 3,
  opened: 4,
  absent: 5,
  have: 6,
  request: 7,
  credit: 8,
  data: 9,
  end: 10,
  cancel: 11,
  reject: 12,
  'catalogue-request': 13,
  catalogue: 14,
  ping: 15,
  pong: 16,
  bye: 17,
} as const satisfies Record<PeerMessage['type'], number>

export const REJECT_CODES: Readonly<Record<RejectReason, number>> = { busy: 1, absent: 2, failed: 3 }
export const BYE_CODES: Readonly<Record<ByeReason, number>> = { leaving: 1, protocol: 2, proof: 3, banned: 4, idle: 5, full: 6 }

/** On OPENED: every piece is there, and no bitfield follows. */
export const FLAG_ALL = 0x02
