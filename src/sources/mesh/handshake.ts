import { DeliveryError } from '../../core/errors.ts'
import { PEER_PROTOCOL_VERSION, type PeerMessage } from '../../core/wire/peer-message.ts'
import { equalInConstantTime, peerProof } from '../../core/wire/ticket.ts'
import type { PeerLink } from './peer-link.ts'

export interface HandshakeOptions {
  readonly link: Pick<PeerLink, 'isInitiator' | 'localFingerprint' | 'remoteFingerprint'>
  readonly swarmKey: Uint8Array
  /** 32 bytes, never used before. */
  readonly nonce: Uint8Array
  readonly send: (message: PeerMessage) => void
}

/** Takes the first two messages of the other side. */
export interface Handshake {
  /** @returns true once the other side has proven itself. @throws {DeliveryError} `peer-frame` or `peer-proof` */
  take(message: PeerMessage): boolean
}

/**
 * Both sides prove that they hold the swarm key, over both certificates of this very connection. Each sends its proof before it has
 * seen the other's; what a stranger learns is a MAC over a nonce of its own, which is of no use elsewhere.
 */
export function startHandshake(options: HandshakeOptions): Handshake {
  const { link, nonce, send } = options
  let theirNonce: Uint8Array | undefined
  const proofOf = (role: 'offerer' | 'answerer', theirs: Uint8Array): Uint8Array => {
    const [nonceA, nonceB] = link.isInitiator ? [nonce, theirs] : [theirs, nonce]
    const [fingerprintA, fingerprintB] = link.isInitiator
      ? [link.localFingerprint, link.remoteFingerprint]
      : [link.remoteFingerprint, link.localFingerprint]
    return peerProof(options.swarmKey, role, { nonceA, nonceB, fingerprintA, fingerprintB })
  }
  send({ type: 'hello', version: PEER_PROTOCOL_VERSION, nonce })
  return {
    take(message) {
      if (message.type === 'hello' && theirNonce === undefined) {
        if (message.version !== PEER_PROTOCOL_VERSION) throw new DeliveryError({ code: 'peer-frame', detail: `version ${message.version}` })
        theirNonce = message.nonce.slice()
        send({ type: 'proof', mac: proofOf(link.isInitiator ? 'offerer' : 'answerer', theirNonce) })
        return false
      }
      if (message.type === 'proof' && theirNonce !== undefined) {
        if (equalInConstantTime(message.mac, proofOf(link.isInitiator ? 'answerer' : 'offerer', theirNonce))) return true
        throw new DeliveryError({ code: 'peer-proof', detail: 'the proof of membership is not for this swarm and this connection' })
      }
      throw new DeliveryError({ code: 'peer-frame', detail: `${message.type} before the proof` })
    },
  }
}
