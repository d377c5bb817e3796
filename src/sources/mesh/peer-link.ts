/** A connection to one peer that carries whole frames, in order. WebRTC underneath; tests use a pair in memory. */
export interface PeerLink {
  /** SHA-256 fingerprints of both DTLS certificates, 32 bytes each: what the mutual proof is bound to. Known once open. */
  readonly localFingerprint: Uint8Array
  readonly remoteFingerprint: Uint8Array
  /** True at the end that made the offer. */
  readonly isOfferer: boolean
  /** Bytes given to `send` that the network has not taken yet. */
  bufferedBytes(): number
  /** Queues one frame of at most `LIMITS.frameBytes`. Does nothing once closed. */
  send(frame: Uint8Array): void
  /** Called for each frame that arrives. Set once, by the session. */
  onFrame(listener: (frame: Uint8Array) => void): void
  /** The queue fell below its low mark: the sender may go on. */
  onDrain(listener: () => void): void
  /** The link ended, for whatever reason. Called once. */
  onClose(listener: (why: string) => void): void
  close(): void
  /** What really crossed the wire, from the transport's own counters. */
  stats(): Promise<LinkStats>
}

export interface LinkStats {
  readonly sentBytes: number
  readonly receivedBytes: number
  /** Where the selected candidate pair leads. */
  readonly pair: 'lan' | 'wan' | 'relay' | 'unknown'
}
