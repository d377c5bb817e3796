import { DeliveryError, type Failure } from '../../core/errors.ts'
import type { SourceId } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import type { PeerMessage } from '../../core/wire/peer-message.ts'
import { createSettled, withDeadline, type Settled } from './wait.ts'

/** The whole file, at most 2 MiB. */
const CATALOGUE_TIMEOUT_MS = 10_000

interface Pending {
  readonly requestId: number
  readonly limitBytes: number
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

/** Asks one peer for its signed catalogue. One request at a time; those who come meanwhile get the same answer. */
export class CatalogueRequests {
  readonly #options: CatalogueRequestOptions
  #pending: Pending | undefined

  constructor(options: CatalogueRequestOptions) {
    this.#options = options
  }

  /** @throws {DeliveryError} `source-missing`, `peer-timeout`, `peer-closed` */
  async read(limitBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted()
    const pending = this.#pending ?? this.#ask(limitBytes)
    const late = (elapsedMs: number): DeliveryError => new DeliveryError({ code: 'peer-timeout', phase: 'gap', elapsedMs })
    // An answer that comes after the deadline is still taken: it ends the request.
    return await withDeadline(pending.done.promise, { ms: CATALOGUE_TIMEOUT_MS, clock: this.#options.clock, late }, signal)
  }

  /** @throws {DeliveryError} `peer-frame` unless the chunk is the next one of what was asked for */
  take(message: Extract<PeerMessage, { readonly type: 'catalogue' }>): void {
    const pending = this.#pending
    const { offset, totalBytes, bytes } = message
    if (
      pending === undefined ||
      pending.requestId !== message.requestId ||
      offset !== pending.receivedBytes ||
      totalBytes > pending.limitBytes
    ) {
      throw new DeliveryError({ code: 'peer-frame', detail: 'a catalogue that nobody asked for' })
    }
    pending.bytes ??= new Uint8Array(totalBytes)
    if (pending.bytes.length !== totalBytes) throw new DeliveryError({ code: 'peer-frame', detail: 'a catalogue of two sizes' })
    pending.bytes.set(bytes, offset)
    pending.receivedBytes += bytes.length
    if (pending.receivedBytes < totalBytes) return
    this.#pending = undefined
    pending.done.resolve(pending.bytes)
  }

  /** False when the rejection is about something else. */
  reject(requestId: number): boolean {
    if (this.#pending?.requestId !== requestId) return false
    this.#pending.done.reject(new DeliveryError({ code: 'source-missing', source: this.#options.source }))
    this.#pending = undefined
    return true
  }

  close(failure: Failure): void {
    this.#pending?.done.reject(new DeliveryError(failure))
    this.#pending = undefined
  }

  #ask(limitBytes: number): Pending {
    const requestId = Math.floor(this.#options.random() * 2 ** 32)
    const pending: Pending = { requestId, limitBytes, done: createSettled(), bytes: undefined, receivedBytes: 0 }
    this.#pending = pending
    this.#options.send({ type: 'catalogue-request', requestId, limitBytes })
    return pending
  }
}
