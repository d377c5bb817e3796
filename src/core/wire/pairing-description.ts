import { readFingerprint, writeFingerprint } from './fingerprint.ts'
import { PAIRING_SETUPS, type PairingCode } from './pairing-code.ts'

/** What a session description says of its maker that another browser has to know. */
export type DescriptionFacts = Pick<PairingCode, 'setup' | 'ufrag' | 'password' | 'fingerprint'>

/** Reads the browser's own description. Undefined when a line is missing that every data channel has. */
export function readDescription(sdp: string): DescriptionFacts | undefined {
  const valueOf = (name: string): string | undefined => new RegExp(`^a=${name}:(\\S+(?: \\S+)?)\\r?$`, 'm').exec(sdp)?.[1]
  const [ufrag, password] = [valueOf('ice-ufrag'), valueOf('ice-pwd')]
  const fingerprint = readFingerprint(valueOf('fingerprint') ?? '')
  const setup = PAIRING_SETUPS.find((one) => one === valueOf('setup'))
  if (ufrag === undefined || password === undefined || fingerprint === undefined || setup === undefined) return undefined
  return { ufrag, password, setup, fingerprint }
}

/**
 * The description of one data channel again, from what differs between browsers. The rest is what both of them write: the first and only
 * medium is `0`, SCTP's port is 5000, and no message of ours is longer than 65,536 bytes, which is what a missing size stands for (RFC 8841 section 6.1).
 */
export function writeDescription({ setup, ufrag, password, fingerprint }: DescriptionFacts): string {
  const lines = [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${password}`,
    'a=ice-options:trickle',
    `a=fingerprint:${writeFingerprint(fingerprint)}`,
    `a=setup:${setup}`,
    'a=mid:0',
    'a=sctp-port:5000',
  ]
  return `${lines.join('\r\n')}\r\n`
}
