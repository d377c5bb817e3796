import { DeliveryError, type Failure } from '../../core/errors.ts'
import type { SourceId } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import type { PeerMessage } from '../../core/wire/peer-message.ts'
import { createSettled, withDeadline, type Settled } from './wait.ts'

/** The whole file, at most 2 MiB. */
const CATALOGUE_TIMEOUT_MS = 10_000

/** A file that has a name, not a digest. */
export interface Wanted {
  /** 0: the catalogue; else the trust update of this number. */
  readonly trust: number
  readonly limitBytes: number
}

interface Pending extends Wanted {
  readonly requestId: number
  readonly done: Settled<Uint8Array>
  bytes: Uint8Array | undefined
  receivedBytes: number
}

export interface CatalogueRequestOptions {
  readonly source: SourceId
  readonly clock: Clock
  readonly random: () => number
  readonly send: (message: PeerMessage) => void
}

/** Asks one peer for its signed catalogue, and for trust updates. Each is asked for once at a time; those who come meanwhile get the same answer. */
export class CatalogueRequests {
  readonly #options: CatalogueRequestOptions
  /** By what is asked for. */
  readonly #pending = new Map<number, Pending>()

  constructor(options: CatalogueRequestOptions) {
    this.#options = options
  }

  /** @throws {DeliveryError} `source-missing`, `peer-timeout`, `peer-closed` */
  async read(wanted: Wanted, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted()
    const pending = this.#pending.get(wanted.trust) ?? this.#ask(wanted)
    const late = (elapsedMs: number): DeliveryError => new DeliveryError({ code: 'peer-timeout', phase: 'gap', elapsedMs })
    // An answer that comes after the deadline is still taken: it ends the request.
    return await withDeadline(pending.done.promise, { ms: CATALOGUE_TIMEOUT_MS, clock: this.#options.clock, late }, signal)
  }

  /** @throws {DeliveryError} `peer-frame` unless the chunk is the next one of what was asked for */
  take(message: Extract<PeerMessage, { readonly type: 'catalogue' }>): void {
    const { requestId, offset, totalBytes, bytes } = message
    const pending = this.#find(requestId)
    if (pending === undefined || offset !== pending.receivedBytes || totalBytes > pending.limitBytes)
      throw new DeliveryError({ code: 'peer-frame', detail: 'a catalogue that nobody asked for' })
    pending.bytes ??= new Uint8Array(totalBytes)
    if (pending.bytes.length !== totalBytes) throw new DeliveryError({ code: 'peer-frame', detail: 'a catalogue of two sizes' })
    pending.bytes.set(bytes, offset)
    pending.receivedBytes += bytes.length
    if (pending.receivedBytes < totalBytes) return
    this.#pending.delete(pending.trust)
    pending.done.resolve(pending.bytes)
  }

  /** False when the rejection is about something else. */
  reject(requestId: number): boolean {
    const pending = this.#find(requestId)
    if (pending === undefined) return false
    pending.done.reject(new DeliveryError({ code: 'source-missing', source: this.#options.source }))
    this.#pending.delete(pending.trust)
    return true
  }

  close(failure: Failure): void {
    for (const { done } of this.#pending.values()) done.reject(new DeliveryError(failure))
    this.#pending.clear()
  }

  #find(requestId: number): Pending | undefined {
    return [...this.#pending.values()].find((one) => one.requestId === requestId)
  }

  #ask(wanted: Wanted): Pending {
    // Drawn, and apart from the other one that may be under way.
    const requestId = (Math.floor(this.#options.random() * 2 ** 32) + this.#pending.size) % 2 ** 32
    const pending: Pending = { ...wanted, requestId, done: createSettled(), bytes: undefined, receivedBytes: 0 }
    this.#pending.set(wanted.trust, pending)
    this.#options.send({ type: 'catalogue-request', requestId, ...wanted })
    return pending
  }
}
