import type { Negotiation } from '../../src/core/wire/signal-message.ts'
import { LOW_WATER_BYTES, type CreateLink, type LinkListener, type PeerLink } from '../../src/sources/mesh/peer-link.ts'

type Frame = Uint8Array<ArrayBuffer>

/** The channel itself, past whatever a manner does. */
export interface Wire {
  send(frame: Frame): void
  readonly bufferedBytes: number
  readonly isClosed: boolean
}

/** How a peer departs from the protocol. What is left out, it does as an honest one. */
export interface Manner {
  /** What goes out in the place of a frame. */
  readonly sends?: (frame: Frame, wire: Wire) => readonly Frame[]
  /** False: the honest part of the peer does not hear of this frame. */
  readonly hears?: (frame: Uint8Array, wire: Wire) => boolean
  /** Both sides have sent their proof. */
  readonly greeted?: (wire: Wire) => void
  /** What it tells through the signaling server. */
  readonly negotiates?: (said: Negotiation) => Negotiation
  /** What it gives for a piece of the artifact. */
  readonly gives?: (bytes: Frame) => Frame
}

/** Bytes in a second; a peer's page may change it at any time. Undefined: as fast as it goes. */
export interface Rate {
  bytesPerSecond: number | undefined
}

const PROOF = 2

/** Real links whose frames pass through a manner, and at a rate. */
export function tamperedLinks(links: CreateLink, manner: Manner, rate: Rate): CreateLink {
  return (request, signal) => {
    const send = (said: Negotiation): void => request.send(manner.negotiates?.(said) ?? said)
    const pending = links({ ...request, send }, signal)
    return { accept: pending.accept, connected: pending.connected.then((link) => tamper(link, manner, rate)) }
  }
}

/** A link whose frames pass through a manner, and at a rate. */
export function tamper(link: PeerLink, manner: Manner, rate: Rate): PeerLink {
  return new TamperedLink(link, manner, rate)
}

class TamperedLink implements PeerLink {
  readonly #link: PeerLink
  readonly #manner: Manner
  readonly #rate: Rate
  readonly #wire: Wire
  #listener: LinkListener | undefined
  #queue: Frame[] = []
  #queuedBytes = 0
  #freeAtMs = 0
  #isDraining = false
  #isClosed = false

  constructor(link: PeerLink, manner: Manner, rate: Rate) {
    this.#link = link
    this.#manner = manner
    this.#rate = rate
    const isClosed = (): boolean => this.#isClosed
    this.#wire = {
      send: (frame) => link.send(frame),
      get bufferedBytes() {
        return link.bufferedBytes
      },
      get isClosed() {
        return isClosed()
      },
    }
  }

  get isInitiator(): boolean {
    return this.#link.isInitiator
  }

  get localFingerprint(): Uint8Array {
    return this.#link.localFingerprint
  }

  get remoteFingerprint(): Uint8Array {
    return this.#link.remoteFingerprint
  }

  get bufferedBytes(): number {
    return this.#queuedBytes + this.#link.bufferedBytes
  }

  send(frame: Frame): void {
    for (const one of this.#manner.sends?.(frame, this.#wire) ?? [frame]) this.#enqueue(one)
    if (frame[0] === PROOF) queueMicrotask(() => this.#manner.greeted?.(this.#wire))
  }

  listen(listener: LinkListener): void {
    this.#listener = listener
    this.#link.listen({
      onFrame: (frame) => {
        if (this.#manner.hears?.(frame, this.#wire) ?? true) listener.onFrame(frame)
      },
      onDrain: listener.onDrain,
      onClose: (failure) => {
        this.#isClosed = true
        listener.onClose(failure)
      },
    })
  }

  stats(): ReturnType<PeerLink['stats']> {
    return this.#link.stats()
  }

  close(): void {
    this.#link.close()
  }

  #enqueue(frame: Frame): void {
    if (this.#rate.bytesPerSecond === undefined && this.#queue.length === 0) return this.#link.send(frame)
    // A session writes its next frame into the same memory.
    this.#queue.push(frame.slice())
    this.#queuedBytes += frame.length
    if (!this.#isDraining) void this.#drain()
  }

  async #drain(): Promise<void> {
    this.#isDraining = true
    // Whoever sends has not noted yet that it did.
    await Promise.resolve()
    while (this.#queue.length > 0 && !this.#isClosed) {
      const { bytesPerSecond } = this.#rate
      const nowMs = performance.now()
      if (bytesPerSecond !== undefined && this.#freeAtMs > nowMs) {
        await new Promise((resolve) => setTimeout(resolve, this.#freeAtMs - nowMs))
        continue
      }
      const frame = this.#queue.shift()
      if (frame === undefined) break
      this.#queuedBytes -= frame.length
      if (bytesPerSecond !== undefined) this.#freeAtMs = Math.max(this.#freeAtMs, nowMs - 20) + (frame.length / bytesPerSecond) * 1000
      this.#link.send(frame)
      if (this.#queuedBytes < LOW_WATER_BYTES) this.#listener?.onDrain()
    }
    this.#isDraining = false
  }
}
