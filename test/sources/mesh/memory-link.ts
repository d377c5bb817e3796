import type { Failure } from '../../../src/core/errors.ts'
import type { LinkListener, LinkPath, PeerLink } from '../../../src/sources/mesh/peer-link.ts'

/** One end of a link that lives in memory. What is sent arrives a turn of the event loop later, in order. */
export interface MemoryLink extends PeerLink {
  /** Where it leads, as the WebRTC stack would say. */
  path: LinkPath
  /** Frames that this end has sent. */
  readonly sent: readonly Uint8Array[]
  readonly isClosed: boolean
  /** Closes it for this reason, here; the other end only sees that it is gone. */
  end(failure: Failure): void
  /** Frames are kept back until `release`. */
  hold(): void
  release(): void
}

export interface LinkPair {
  readonly a: MemoryLink
  readonly b: MemoryLink
}

export const FINGERPRINT_A = new Uint8Array(32).fill(0xa)
export const FINGERPRINT_B = new Uint8Array(32).fill(0xb)

/** @param seenByB what B takes for A's fingerprint: another one when somebody sits in the middle */
export function createLinkPair(seenByB?: Uint8Array, ofA: Uint8Array = FINGERPRINT_A, ofB: Uint8Array = FINGERPRINT_B): LinkPair {
  const a = new End({ isInitiator: true, local: ofA, remote: ofB })
  const b = new End({ isInitiator: false, local: ofB, remote: seenByB ?? ofA })
  a.connect(b)
  b.connect(a)
  return { a, b }
}

class End implements MemoryLink {
  readonly isInitiator: boolean
  readonly localFingerprint: Uint8Array
  readonly remoteFingerprint: Uint8Array
  readonly sent: Uint8Array[] = []
  readonly bufferedBytes = 0
  isClosed = false
  path: LinkPath = 'lan'
  #other: End | undefined
  #listener: LinkListener | undefined
  #early: Uint8Array[] = []
  #held: Uint8Array[] | undefined

  constructor(options: { readonly isInitiator: boolean; readonly local: Uint8Array; readonly remote: Uint8Array }) {
    this.isInitiator = options.isInitiator
    this.localFingerprint = options.local
    this.remoteFingerprint = options.remote
  }

  connect(other: End): void {
    this.#other = other
  }

  send(written: Uint8Array<ArrayBuffer>): void {
    if (this.isClosed) return
    const frame = written.slice()
    this.sent.push(frame)
    if (this.#held !== undefined) this.#held.push(frame)
    else setImmediate(() => this.#other?.deliver(frame))
  }

  hold(): void {
    this.#held ??= []
  }

  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const frame of held) setImmediate(() => this.#other?.deliver(frame))
  }

  deliver(frame: Uint8Array): void {
    if (this.isClosed) return
    if (this.#listener === undefined) this.#early.push(frame)
    else this.#listener.onFrame(frame.slice())
  }

  listen(listener: LinkListener): void {
    this.#listener = listener
    for (const frame of this.#early.splice(0)) listener.onFrame(frame)
  }

  stats(): ReturnType<PeerLink['stats']> {
    const sum = (frames: readonly Uint8Array[]): number => frames.reduce((bytes, frame) => bytes + frame.length, 0)
    return Promise.resolve({ sentBytes: sum(this.sent), receivedBytes: sum(this.#other?.sent ?? []), path: this.path, roundTripMs: 0 })
  }

  close(): void {
    this.end({ code: 'peer-closed', detail: 'the link is gone' })
  }

  end(failure: Failure): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#listener?.onClose(failure)
    setImmediate(() => this.#other?.close())
  }
}
