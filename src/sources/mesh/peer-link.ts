import type { Failure } from '../../core/errors.ts'
import type { IceServer, Negotiation } from '../../core/wire/signal-message.ts'

/** How two peers reach each other: both ends on host addresses, over the internet, or through a TURN server. */
export type LinkPath = 'lan' | 'wan' | 'relay' | 'unknown'

/** What the WebRTC stack itself counted. */
export interface LinkStats {
  readonly sentBytes: number
  readonly receivedBytes: number
  readonly path: LinkPath
  readonly roundTripMs: number | undefined
}

export interface LinkListener {
  /** One frame as it came, unparsed. The link gives it up. */
  readonly onFrame: (frame: Uint8Array) => void
  /** What is queued fell below `LOW_WATER_BYTES`. */
  readonly onDrain: () => void
  /** Once, with the reason as far as it is known: `peer-frame` where the peer sent what is no frame. No frame comes after it. */
  readonly onClose: (failure: Failure) => void
}

/** Frames in order, both ways, to one peer. Connected from the beginning. */
export interface PeerLink {
  readonly isInitiator: boolean
  /** SHA-256 of each side's DTLS certificate, as negotiated: what the proof of membership is bound to. Throws `peer-proof` when there is none. */
  readonly localFingerprint: Uint8Array
  readonly remoteFingerprint: Uint8Array
  /** Queued here and not yet sent. A sender of bulk stays below `HIGH_WATER_BYTES`. */
  readonly bufferedBytes: number
  /** Drops the frame when the link is closed. What is queued is a copy: the memory is the caller's again. */
  send(frame: Uint8Array<ArrayBuffer>): void
  /** Takes all events from now on, and first the frames that already came. Called once. */
  listen(listener: LinkListener): void
  stats(): Promise<LinkStats>
  /** Lets what is queued go out if it can. `onClose` follows. */
  close(): void
}

/** Deeper queues are slower, not faster, and a request elsewhere waits behind them. */
export const HIGH_WATER_BYTES = 256 * 1024
export const LOW_WATER_BYTES = 64 * 1024

/** A link that is being negotiated. */
export interface PendingLink {
  /** Takes what the other side said through the signaling server. Ignored once connected. */
  accept(negotiation: Negotiation): void
  /** @throws {DeliveryError} `peer-timeout` with phase `connect`, `peer-frame`, `peer-closed` */
  readonly connected: Promise<PeerLink>
}

export interface LinkRequest {
  readonly isInitiator: boolean
  /** Tells the other side, through the signaling server. */
  readonly send: (negotiation: Negotiation) => void
  /** What the signaling server names, with passing credentials. Only those that the site's own configuration names too are used. */
  readonly offeredIceServers: readonly IceServer[]
  /** How long it may take. Default: that of the maker. Minutes, where people carry what is said. */
  readonly connectTimeoutMs?: number
  /** No candidate comes after this. */
  readonly onGathered?: () => void
}

/** Makes links of one kind. Aborting `signal` gives up a pending link, and closes a connected one. */
export type CreateLink = (request: LinkRequest, signal: AbortSignal) => PendingLink
