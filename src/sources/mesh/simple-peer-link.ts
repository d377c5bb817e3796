import SimplePeer from 'simple-peer'
import { DeliveryError, failureOf, type Failure } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { Clock } from '../../core/ports.ts'
import type { IceCandidate, IceServer, Negotiation } from '../../core/wire/signal-message.ts'
import { readLinkStats } from './link-stats.ts'
import { filterDescription, isCandidateAllowed, type CandidateScope } from './negotiation-filter.ts'
import { LOW_WATER_BYTES, type CreateLink, type LinkListener, type LinkRequest, type PeerLink, type PendingLink } from './peer-link.ts'
import type { Wrtc } from './wrtc.ts'

export interface SimplePeerOptions {
  /** `relay`: through TURN only, so that peers do not see this machine's address. */
  readonly mode: 'lan' | 'full' | 'relay'
  /** STUN and TURN that the site names. Not used in mode `lan`. Empty: nobody but the peer is contacted. */
  readonly iceServers: readonly IceServer[]
  readonly clock: Clock
  /** Default: 5 s. */
  readonly connectTimeoutMs?: number
  /** One for all links, so that a peer is known by its fingerprint. Default: a new one for each. */
  readonly certificate?: RTCCertificate
  /** Default: the window's. */
  readonly wrtc?: Wrtc
}

export const CONNECT_TIMEOUT_MS = 5000
/** Frames that may come before anybody listens: a peer's greeting, and not much more. */
const EARLY_BYTES = 4 * LIMITS.frameBytes

/** Links over simple-peer, guarded: it gets one description and a few candidates, never what asks it to renegotiate. */
export function simplePeerLinks(options: SimplePeerOptions): CreateLink {
  return (request, signal) => {
    const link = new SimplePeerLink(options, request)
    void link.supervise(request.connectTimeoutMs ?? options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS, signal)
    return { accept: link.accept, connected: link.connected } satisfies PendingLink
  }
}

class SimplePeerLink implements PeerLink {
  readonly isInitiator: boolean
  readonly connected: Promise<PeerLink>
  readonly #peer: SimplePeer.Instance
  readonly #request: LinkRequest
  readonly #scope: CandidateScope
  readonly #clock: Clock
  readonly #wrtc: Wrtc | undefined
  readonly #over = new AbortController()
  #local: Uint8Array | undefined
  #remote: Uint8Array | undefined
  #candidates = 0
  #state: 'connecting' | 'open' | 'closed' = 'connecting'
  #failure: Failure | undefined
  #listener: LinkListener | undefined
  #early: Uint8Array[] = []
  #earlyBytes = 0
  #settle: { readonly resolve: (link: PeerLink) => void; readonly reject: (reason: unknown) => void } | undefined

  constructor(options: SimplePeerOptions, request: LinkRequest) {
    this.isInitiator = request.isInitiator
    this.#request = request
    this.#clock = options.clock
    this.#wrtc = options.wrtc
    this.#scope = options.mode === 'lan' ? 'lan' : 'any'
    this.connected = new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
    // Whoever waits sees it; that nobody waits any more is no fault.
    this.connected.catch(() => undefined)
    this.#peer = new SimplePeer({
      initiator: request.isInitiator,
      trickle: true,
      config: {
        iceServers: options.mode === 'lan' ? [] : iceServersFor(options.iceServers, request.offeredIceServers),
        iceTransportPolicy: options.mode === 'relay' ? 'relay' : 'all',
        ...(options.certificate === undefined ? {} : { certificates: [options.certificate] }),
      },
      ...(options.wrtc === undefined ? {} : { wrtc: options.wrtc }),
    })
    this.#peer.on('signal', this.#onLocal)
    // An event of simple-peer's own; there is no public one for the end of gathering.
    this.#peer.on('_iceComplete', () => request.onGathered?.())
    this.#peer.on('data', this.#onData)
    this.#peer.on('connect', this.#onConnect)
    this.#peer.on('error', (error) =>
      this.#end(new DeliveryError({ code: 'peer-closed', detail: 'the connection failed' }, { cause: error })),
    )
    this.#peer.on('close', () => this.#end(new DeliveryError({ code: 'peer-closed', detail: 'the connection closed' })))
  }

  get localFingerprint(): Uint8Array {
    return negotiated(this.#local)
  }

  get remoteFingerprint(): Uint8Array {
    return negotiated(this.#remote)
  }

  get bufferedBytes(): number {
    return this.#peer.bufferSize
  }

  /** The deadline, and the caller's wish to stop. */
  async supervise(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const onAbort = (): void => this.#end(signal.reason)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#over.signal.addEventListener('abort', () => signal.removeEventListener('abort', onAbort), { once: true })
    const startedMs = this.#clock.monotonicMs()
    await this.#clock.sleep(timeoutMs, this.#over.signal).catch(() => undefined)
    if (this.#state !== 'connecting') return
    const elapsedMs = Math.round(this.#clock.monotonicMs() - startedMs)
    this.#end(new DeliveryError({ code: 'peer-timeout', phase: 'connect', elapsedMs }))
  }

  readonly accept = (negotiation: Negotiation): void => {
    // The signaling server has no more say once the link stands.
    if (this.#state !== 'connecting') return
    try {
      this.#take(negotiation)
    } catch (error) {
      this.#end(error)
    }
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    if (this.#state !== 'open') return
    try {
      this.#peer.send(frame)
    } catch (error) {
      // Between the channel's death and its event.
      this.#end(new DeliveryError({ code: 'peer-closed', detail: 'the channel took no frame' }, { cause: error }))
    }
  }

  listen(listener: LinkListener): void {
    this.#listener = listener
    for (const frame of this.#early) listener.onFrame(frame)
    this.#early = []
    if (this.#failure !== undefined) listener.onClose(this.#failure)
  }

  stats(): ReturnType<PeerLink['stats']> {
    return readLinkStats(this.#peer, this.#clock, this.#over.signal)
  }

  close(): void {
    this.#end(new DeliveryError({ code: 'peer-closed', detail: 'closed here' }))
  }

  #take(negotiation: Negotiation): void {
    switch (negotiation.kind) {
      case 'offer':
      case 'answer': {
        if ((negotiation.kind === 'offer') === this.isInitiator || this.#remote !== undefined)
          throw refuse(`an ${negotiation.kind} out of turn`)
        const { sdp, fingerprint } = filterDescription(negotiation.sdp.sdp, this.#scope)
        this.#remote = fingerprint
        this.#peer.signal({ type: negotiation.kind, sdp })
        return
      }
      case 'candidate':
        return this.#takeCandidate(negotiation.candidate)
      case 'end':
        throw new DeliveryError({ code: 'peer-closed', detail: 'the other side gave up' })
    }
  }

  #takeCandidate({ candidate, sdpMid, sdpMLineIndex }: IceCandidate): void {
    if (!isCandidateAllowed(candidate, this.#scope) || ++this.#candidates > LIMITS.candidatesPerPeer) return
    // Browsers throw on one that belongs to no medium.
    if (sdpMid === null && sdpMLineIndex === null) return
    const Candidate = this.#wrtc?.RTCIceCandidate ?? RTCIceCandidate
    this.#peer.signal({ type: 'candidate', candidate: new Candidate({ candidate, sdpMid, sdpMLineIndex }) })
  }

  readonly #onLocal = (data: SimplePeer.SignalData): void => {
    if (data.type === 'offer' || data.type === 'answer') {
      const sdp = data.sdp ?? ''
      this.#local = filterDescription(sdp, 'any').fingerprint
      this.#request.send({ kind: data.type, sdp: { type: data.type, sdp } })
    } else if (data.type === 'candidate' && 'candidate' in data) {
      const { candidate, sdpMid, sdpMLineIndex } = data.candidate
      if (isCandidateAllowed(candidate, this.#scope))
        this.#request.send({ kind: 'candidate', candidate: { candidate, sdpMid, sdpMLineIndex } })
    }
  }

  readonly #onConnect = (): void => {
    if (this.#state !== 'connecting') return
    this.#state = 'open'
    const channel = channelOf(this.#peer)
    channel.bufferedAmountLowThreshold = LOW_WATER_BYTES
    channel.addEventListener('bufferedamountlow', () => this.#listener?.onDrain())
    this.#settle?.resolve(this)
  }

  readonly #onData = (data: unknown): void => {
    if (this.#state === 'closed') return
    if (!(data instanceof Uint8Array)) return this.#end(refuse('text'))
    if (this.#listener !== undefined) return this.#listener.onFrame(data)
    this.#earlyBytes += data.length
    if (this.#earlyBytes > EARLY_BYTES) return this.#end(refuse('data before the greeting'))
    this.#early.push(data)
  }

  #end(reason: unknown): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    // The caller's own wish to stop may be any error.
    this.#failure = failureOf(reason) ?? { code: 'peer-closed', detail: 'given up' }
    this.#over.abort()
    this.#settle?.reject(reason)
    this.#peer.destroy()
    this.#listener?.onClose(this.#failure)
  }
}

/** A stand-in would be the same for everybody, and so would the proof over it. */
function negotiated(fingerprint: Uint8Array | undefined): Uint8Array {
  if (fingerprint === undefined) throw new DeliveryError({ code: 'peer-proof', detail: 'no certificate was negotiated' })
  return fingerprint
}

/** The site decides which servers are used; the signaling server may only bring fresher credentials for them. */
function iceServersFor(named: readonly IceServer[], offered: readonly IceServer[]): RTCIceServer[] {
  return named.map((server) => {
    const { urls, username, credential } = offered.find((one) => one.urls === server.urls) ?? server
    return { urls, ...(username === undefined ? {} : { username }), ...(credential === undefined ? {} : { credential }) }
  })
}

/** simple-peer has no event for "the queue has drained" outside its stream, so its channel is used for that one thing. */
function channelOf(peer: SimplePeer.Instance): EventTarget & { bufferedAmountLowThreshold: number } {
  const channel = '_channel' in peer ? peer._channel : undefined
  if (!isChannel(channel)) throw new TypeError('this simple-peer keeps its channel elsewhere')
  return channel
}

function isChannel(value: unknown): value is EventTarget & { bufferedAmountLowThreshold: number } {
  return typeof value === 'object' && value !== null && 'addEventListener' in value && 'bufferedAmountLowThreshold' in value
}

function refuse(detail: string): DeliveryError {
  return new DeliveryError({ code: 'peer-frame', detail })
}
