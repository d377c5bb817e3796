import { DeliveryError, type Failure } from '../../core/errors.ts'
import type { PieceIndex, SourceId } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import { FRAME_PAYLOAD_BYTES } from '../../core/wire/peer-frame.ts'
import type { PeerMessage } from '../../core/wire/peer-message.ts'
import { createCreditWindow, type CreditWindow } from './credit-window.ts'
import { OPEN_REQUESTS } from './session-limits.ts'
import { createSettled, type Settled } from './wait.ts'

/** Silence that costs a peer the request. */
export const FIRST_DATA_MS = 2000
export const GAP_MS = 3000
/** A peer that has not ended a cancelled request by then is given up: what it had queued before, it has sent or never will. */
export const CANCEL_MS = 15_000
/** Bytes that nobody asked for, of one peer. Above, it is a flood. */
const UNSOLICITED_BYTES = 64 * 1024

export interface DownloadOptions {
  readonly source: SourceId
  readonly clock: Clock
  readonly random: () => number
  readonly send: (message: PeerMessage) => void
  readonly refuse: (detail: string) => void
  /** It said that it is busy, for so long. */
  readonly onBusy: (retryMs: number) => void
  /** It refused a piece that it said it has: it has it not, or could not read it. */
  readonly onRefused: (request: PieceRequest, reason: 'absent' | 'failed') => void
  /** A request was given up because nothing came. */
  readonly onSilence: () => void
  /** It does not end what was cancelled: its requests would stay open, and block it for ever. */
  readonly onDeaf: (elapsedMs: number) => void
}

export interface PieceRequest {
  readonly topic: number
  readonly piece: PieceIndex
  readonly lengthBytes: number
}

interface Download extends PieceRequest {
  readonly requestId: number
  /** Frames that came and were not yet taken. */
  readonly chunks: Uint8Array[]
  grantedBytes: number
  receivedBytes: number
  /** Taken by the reader: only these make room for more. */
  takenBytes: number
  heardAtMs: number
  wake: Settled<void>
  state: 'running' | 'cancelled' | 'done'
  failure: DeliveryError | undefined
  /** Aborted once the peer has nothing more to say about it. */
  readonly over: AbortController
}

interface Grant {
  readonly bytes: number
  /** All bytes received once this grant is used up. */
  readonly untilBytes: number
  readonly atMs: number
  readonly wasFull: boolean
}

/**
 * The asking half of a session. What is under way never exceeds the window: it is the receiver who decides, since neither WebRTC nor a
 * hostile sender would.
 */
export class Downloads {
  readonly #options: DownloadOptions
  readonly #window: CreditWindow = createCreditWindow()
  readonly #open = new Map<number, Download>()
  readonly #queue: Settled<void>[] = []
  readonly #used = new Set<number>()
  #grants: Grant[] = []
  #receivedBytes = 0
  #grantedBytes = 0
  #unsolicitedBytes = 0
  #closed: Failure | undefined

  constructor(options: DownloadOptions) {
    this.#options = options
  }

  /** Bytes granted and not yet both received and taken, over all requests. */
  get outstandingBytes(): number {
    let sum = 0
    for (const { grantedBytes, takenBytes, receivedBytes, state } of this.#open.values()) {
      sum += grantedBytes - (state === 'running' ? takenBytes : receivedBytes)
    }
    return sum
  }

  get windowBytes(): number {
    return this.#window.bytes
  }

  /** @throws {DeliveryError} `peer-timeout`, `peer-closed`, `source-refused`, `source-missing`; and `signal.reason` */
  async *read(request: PieceRequest, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    await this.#turn(signal)
    const download = this.#start(request)
    const onAbort = (): void => download.wake.resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    const watch = new AbortController()
    void this.#watch(download, watch.signal)
    try {
      for (;;) {
        signal.throwIfAborted()
        const chunk = download.chunks.shift()
        if (chunk !== undefined) {
          download.takenBytes += chunk.length
          this.#grant()
          yield chunk
          continue
        }
        if (download.failure !== undefined) throw download.failure
        if (download.state === 'done') return
        await download.wake.promise
        download.wake = createSettled()
      }
    } finally {
      watch.abort()
      signal.removeEventListener('abort', onAbort)
      this.#leave(download)
    }
  }

  onData(message: Extract<PeerMessage, { readonly type: 'data' }>): void {
    const download = this.#open.get(message.requestId)
    const { bytes } = message
    if (download === undefined) {
      this.#unsolicitedBytes += bytes.length
      if (this.#unsolicitedBytes > UNSOLICITED_BYTES) this.#options.refuse('data that nobody asked for')
      return
    }
    if (message.piece !== download.piece || message.offset !== download.receivedBytes) return this.#options.refuse('data out of order')
    if (download.receivedBytes + bytes.length > download.grantedBytes) return this.#options.refuse('data beyond its credit')
    download.receivedBytes += bytes.length
    download.heardAtMs = this.#options.clock.monotonicMs()
    this.#receivedBytes += bytes.length
    this.#measure()
    if (download.state !== 'running') return
    download.chunks.push(bytes)
    download.wake.resolve()
  }

  onEnd(requestId: number): void {
    const download = this.#open.get(requestId)
    if (download === undefined) return this.#options.refuse('the end of nothing')
    if (download.state === 'running' && download.receivedBytes < download.lengthBytes)
      return this.#options.refuse('an end before the last byte')
    this.#close(download)
  }

  onReject({ requestId, reason, retryMs }: Extract<PeerMessage, { readonly type: 'reject' }>): void {
    const download = this.#open.get(requestId)
    if (download === undefined) return this.#options.refuse('the rejection of nothing')
    const { source } = this.#options
    download.failure = new DeliveryError(
      reason === 'absent'
        ? { code: 'source-missing', source }
        : { code: 'source-refused', source, detail: reason, retryMs: reason === 'busy' ? retryMs : undefined },
    )
    if (reason === 'busy') this.#options.onBusy(retryMs)
    this.#close(download)
    if (reason !== 'busy') this.#options.onRefused(download, reason)
  }

  /** Ends every read with this failure. */
  close(failure: Failure): void {
    this.#closed = failure
    for (const download of this.#open.values()) {
      download.failure ??= new DeliveryError(failure)
      this.#close(download)
    }
    for (const waiting of this.#queue.splice(0)) waiting.resolve()
  }

  /** Waits until fewer than the peer's limit are open. Its silence is then not counted against it: nothing was asked yet. */
  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    while (this.#open.size >= OPEN_REQUESTS && this.#closed === undefined) {
      const waiting = createSettled<void>()
      const onAbort = (): void => waiting.reject(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#queue.push(waiting)
      try {
        await waiting.promise
      } finally {
        signal.removeEventListener('abort', onAbort)
        const index = this.#queue.indexOf(waiting)
        if (index >= 0) this.#queue.splice(index, 1)
      }
    }
    // Its turn goes to the next.
    if (signal.aborted) this.#queue.shift()?.resolve()
    signal.throwIfAborted()
    if (this.#closed !== undefined) throw new DeliveryError(this.#closed)
  }

  #start(request: PieceRequest): Download {
    const nowMs = this.#options.clock.monotonicMs()
    const download: Download = {
      ...request,
      requestId: this.#newId(),
      chunks: [],
      grantedBytes: 0,
      receivedBytes: 0,
      takenBytes: 0,
      heardAtMs: nowMs,
      wake: createSettled(),
      state: 'running',
      failure: undefined,
      over: new AbortController(),
    }
    // An older one that still needs credit comes first: of a peer that goes, one piece at most is then there in part.
    const isBehind = [...this.#open.values()].some(needsCredit)
    const creditBytes = isBehind ? 0 : inFrames(request.lengthBytes, this.#window.bytes - this.outstandingBytes)
    this.#open.set(download.requestId, download)
    const { requestId } = download
    this.#options.send({ type: 'request', topic: request.topic, requestId, piece: request.piece, fromOffset: 0, creditBytes })
    this.#note(download, creditBytes)
    return download
  }

  /**
   * Gives what room there is to the oldest request that still needs some: whole frames, since many small ones cost both ends more, and a
   * quarter of the window at once, since each message does too.
   */
  #grant(): void {
    for (const download of this.#open.values()) {
      if (!needsCredit(download)) continue
      const needed = download.lengthBytes - download.grantedBytes
      const bytes = inFrames(needed, this.#window.bytes - this.outstandingBytes)
      if (bytes < Math.min(needed, this.#window.bytes / 4)) return
      this.#options.send({ type: 'credit', requestId: download.requestId, bytes })
      this.#note(download, bytes)
    }
  }

  #note(download: Download, bytes: number): void {
    if (bytes === 0) return
    const atMs = this.#options.clock.monotonicMs()
    // A request that waited for credit was not silent.
    if (download.grantedBytes === download.receivedBytes) download.heardAtMs = atMs
    download.grantedBytes += bytes
    this.#grantedBytes += bytes
    const wasFull = this.outstandingBytes > this.#window.bytes / 2
    this.#grants.push({ bytes, untilBytes: this.#grantedBytes, atMs, wasFull })
  }

  #measure(): void {
    const nowMs = this.#options.clock.monotonicMs()
    while (this.#grants[0] !== undefined && this.#grants[0].untilBytes <= this.#receivedBytes) {
      const [grant] = this.#grants.splice(0, 1)
      if (grant !== undefined) this.#window.onUsed({ ...grant, delayMs: nowMs - grant.atMs }, nowMs)
    }
  }

  async #watch(download: Download, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    for (;;) {
      const isWaiting = download.grantedBytes === download.receivedBytes
      const limitMs = download.receivedBytes === 0 ? FIRST_DATA_MS : GAP_MS
      const silentMs = isWaiting ? 0 : clock.monotonicMs() - download.heardAtMs
      if (silentMs >= limitMs) break
      const woken = await clock.sleep(limitMs - silentMs, signal).then(
        () => true,
        () => false,
      )
      if (!woken || download.state !== 'running') return
    }
    const phase = download.receivedBytes === 0 ? 'first-byte' : 'gap'
    const elapsedMs = Math.round(clock.monotonicMs() - download.heardAtMs)
    download.failure = new DeliveryError({ code: 'peer-timeout', phase, elapsedMs })
    download.wake.resolve()
    this.#options.onSilence()
  }

  /** The reader is gone. What was granted may still come, and counts until the peer says that it stopped. */
  #leave(download: Download): void {
    download.chunks.length = 0
    if (download.state !== 'running') return
    download.state = 'cancelled'
    this.#options.send({ type: 'cancel', requestId: download.requestId })
    void this.#awaitEnd(download.over.signal)
    this.#grant()
  }

  async #awaitEnd(signal: AbortSignal): Promise<void> {
    const isDeaf = await this.#options.clock.sleep(CANCEL_MS, signal).then(
      () => true,
      () => false,
    )
    if (isDeaf) this.#options.onDeaf(CANCEL_MS)
  }

  #close(download: Download): void {
    // What never came would make the grants after it look slow.
    if (download.grantedBytes > download.receivedBytes) this.#grants = []
    this.#grantedBytes -= download.grantedBytes - download.receivedBytes
    download.grantedBytes = download.receivedBytes
    download.state = 'done'
    download.over.abort()
    download.takenBytes = download.receivedBytes
    this.#open.delete(download.requestId)
    download.wake.resolve()
    this.#queue.shift()?.resolve()
    this.#grant()
  }

  #newId(): number {
    for (;;) {
      const id = Math.floor(this.#options.random() * 2 ** 32)
      if (this.#used.has(id)) continue
      this.#used.add(id)
      return id
    }
  }
}

function needsCredit({ state, lengthBytes, grantedBytes }: Download): boolean {
  return state === 'running' && grantedBytes < lengthBytes
}

/** As much of what is needed as there is room for, to the end or in whole frames. */
function inFrames(neededBytes: number, roomBytes: number): number {
  return roomBytes >= neededBytes ? neededBytes : Math.max(0, Math.floor(roomBytes / FRAME_PAYLOAD_BYTES) * FRAME_PAYLOAD_BYTES)
}
