import { expect, test } from 'vitest'
import { failureOf, type Failure } from '../../../src/core/errors.ts'
import type { PendingLink } from '../../../src/sources/mesh/peer-link.ts'
import { simplePeerLinks, type SimplePeerOptions } from '../../../src/sources/mesh/simple-peer-link.ts'
import { createVirtualClock, settle } from '../../fakes/virtual-clock.ts'

class Channel extends EventTarget {
  readonly readyState = 'open'
  readonly bufferedAmount = 0
  bufferedAmountLowThreshold = 0
  onopen: () => void = () => undefined
  onclose: () => void = () => undefined
  onmessage: (event: { readonly data: unknown }) => void = () => undefined
  close(): void {}
}

/** A WebRTC stack that says it is connected before anybody negotiated anything. */
class HastyConnection {
  static newest: HastyConnection | undefined
  readonly channel = new Channel()
  iceConnectionState = 'new'
  readonly iceGatheringState = 'complete'
  readonly signalingState = 'stable'
  oniceconnectionstatechange: () => void = () => undefined

  constructor() {
    HastyConnection.newest = this
  }

  createDataChannel(): Channel {
    return this.channel
  }

  createOffer(): Promise<never> {
    return new Promise(() => undefined)
  }

  getStats(): Promise<ReadonlyMap<string, unknown>> {
    return Promise.resolve(new Map([['pair', { id: 'pair', type: 'candidate-pair', selected: true }]]))
  }

  close(): void {}

  claim(): void {
    this.iceConnectionState = 'connected'
    this.oniceconnectionstatechange()
    this.channel.onopen()
  }
}

function dial(signal: AbortSignal): PendingLink {
  const wrtc = { RTCPeerConnection: HastyConnection, RTCSessionDescription: Object, RTCIceCandidate: Object }
  const options = { mode: 'lan', iceServers: [], clock: createVirtualClock(), wrtc } as unknown as SimplePeerOptions
  return simplePeerLinks(options)({ isInitiator: true, send: () => undefined, offeredIceServers: [] }, signal)
}

test('a link without negotiated certificates has no fingerprints to prove anything over', async () => {
  const stop = new AbortController()
  const pending = dial(stop.signal)
  await settle()
  HastyConnection.newest?.claim()
  const link = await pending.connected
  for (const side of ['localFingerprint', 'remoteFingerprint'] as const) {
    const read = (): unknown => {
      try {
        return link[side]
      } catch (error) {
        return failureOf(error)
      }
    }
    expect(read()).toMatchObject({ code: 'peer-proof' })
  }
  stop.abort()
})

test('a peer that breaks the protocol before anybody listens is known for it afterwards, not for a connection that closed', async () => {
  const stop = new AbortController()
  const pending = dial(stop.signal)
  await settle()
  HastyConnection.newest?.claim()
  const link = await pending.connected
  HastyConnection.newest?.channel.onmessage({ data: new ArrayBuffer(2 ** 20) })
  await settle()
  const reasons: Failure['code'][] = []
  link.listen({ onFrame: () => undefined, onDrain: () => undefined, onClose: ({ code }) => void reasons.push(code) })
  expect(reasons).toEqual(['peer-frame'])
  stop.abort()
  expect(reasons).toEqual(['peer-frame'])
})

test('a candidate that belongs to no medium is passed over: the stack would take it for our mistake', async () => {
  const stop = new AbortController()
  const pending = dial(stop.signal)
  const candidate = 'candidate:1 1 udp 2113937151 10.0.0.1 50000 typ host'
  pending.accept({ kind: 'candidate', candidate: { candidate, sdpMid: null, sdpMLineIndex: null } })
  const reason = new Error('enough')
  stop.abort(reason)
  await expect(pending.connected).rejects.toBe(reason)
})
