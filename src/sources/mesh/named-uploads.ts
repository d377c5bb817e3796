import type { PeerMessage } from '../../core/wire/peer-message.ts'
import { FRAME_PAYLOAD_BYTES } from '../../core/wire/peer-frame.ts'
import { HIGH_WATER_BYTES } from './peer-link.ts'
import type { SeedStore } from './seed-store.ts'

/** A request for the catalogue or a trust update. */
interface Named {
  readonly requestId: number
  bytes: Uint8Array | undefined
  offset: number
}

/** The catalogue and one trust update: whoever wants to know asks for both at once. */
const NAMED_REQUESTS = 2

export interface NamedUploadOptions {
  readonly store: Pick<SeedStore, 'catalogue' | 'trustUpdate'>
  readonly send: (message: PeerMessage) => void
  readonly reject: (requestId: number, reason: 'absent' | 'busy' | 'failed') => void
  readonly bufferedBytes: () => number
  /** How many of these bytes may go now. */
  readonly take: (bytes: number) => number
}

/** Answers one peer that asks for the catalogue, or for a trust update: oldest first, in order and without credit. */
export class NamedUploads {
  readonly #options: NamedUploadOptions
  #open: Named[] = []
  readonly #over = new AbortController()

  constructor(options: NamedUploadOptions) {
    this.#options = options
  }

  onRequest({ requestId, limitBytes, trust }: Extract<PeerMessage, { readonly type: 'catalogue-request' }>): void {
    const { store, reject } = this.#options
    if (this.#open.length >= NAMED_REQUESTS) return reject(requestId, 'busy')
    const named: Named = { requestId, bytes: undefined, offset: 0 }
    this.#open.push(named)
    const giveUp = (reason: 'absent' | 'failed'): void => {
      this.#close(named)
      reject(requestId, reason)
    }
    const reading = trust === 0 ? store.catalogue(this.#over.signal) : store.trustUpdate(trust, this.#over.signal)
    reading.then(
      (bytes) => {
        if (bytes === undefined || bytes.length === 0 || bytes.length > limitBytes) return giveUp('absent')
        named.bytes = bytes
        this.pump()
      },
      () => giveUp('failed'),
    )
  }

  pump(): void {
    if (this.#over.signal.aborted) return
    for (const named of this.#open) {
      const { requestId, bytes } = named
      if (bytes === undefined) continue
      while (named.offset < bytes.length) {
        const wanted = Math.min(FRAME_PAYLOAD_BYTES, bytes.length - named.offset)
        if (this.#options.bufferedBytes() + wanted > HIGH_WATER_BYTES) return
        const count = this.#options.take(wanted)
        if (count === 0) return
        const chunk = bytes.subarray(named.offset, named.offset + count)
        this.#options.send({ type: 'catalogue', requestId, offset: named.offset, totalBytes: bytes.length, bytes: chunk })
        named.offset += count
      }
      this.#close(named)
    }
  }

  close(): void {
    this.#over.abort()
  }

  #close(named: Named): void {
    this.#open = this.#open.filter((one) => one !== named)
  }
}
