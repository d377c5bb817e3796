/** What of a stranger's session description and candidates may reach the browser's WebRTC stack. Attacker-controlled, all of it. */

import { DeliveryError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { readFingerprint } from '../../core/wire/fingerprint.ts'

/** `lan`: names and private addresses only. `any`: public ones too. */
export type CandidateScope = 'lan' | 'any'

export interface FilteredDescription {
  readonly sdp: string
  /** SHA-256 of the DTLS certificate, 32 bytes. */
  readonly fingerprint: Uint8Array
}

/** The lines of a data-only description, by their beginnings. Any other line is left out. */
const KEPT = [
  'v=',
  'o=',
  's=',
  't=',
  'c=',
  'm=',
  'a=group:',
  'a=extmap-allow-mixed',
  'a=msid-semantic',
  'a=ice-ufrag:',
  'a=ice-pwd:',
  'a=ice-options:',
  'a=fingerprint:',
  'a=setup:',
  'a=mid:',
  'a=sctp-port:',
  'a=max-message-size:',
  'a=sendrecv',
  'a=end-of-candidates',
]
/** Whatever else a stack takes for the end of a line would smuggle in a line that was never looked at. */
const PRINTABLE = /^[\x20-\x7e]*$/
const MEDIA = /^m=application \d{1,5} (?:UDP|TCP)\/DTLS\/SCTP webrtc-datachannel$/
const FINGERPRINT = 'a=fingerprint:'
/** RFC 8839 section 5.1: foundation, component, transport, priority, address, port, type. */
const CANDIDATE = /^(?:a=)?candidate:\S{1,32} \d{1,3} (\S{3,4}) \d{1,10} (\S{1,255}) (\d{1,5}) typ (host|srflx|prflx|relay)(?: |$)/i
const MDNS = /^[0-9A-Za-z-]{1,63}\.local$/

/**
 * The description, rebuilt from the lines that a data channel needs.
 * @throws {DeliveryError} `peer-frame` when it asks for anything but one data channel, or is too long
 */
export function filterDescription(sdp: string, scope: CandidateScope): FilteredDescription {
  if (sdp.length > LIMITS.sdpBytes) throw refuse(`a description of ${sdp.length} characters`)
  const lines = sdp.split(/\r?\n/).filter((line) => line !== '')
  const media = lines.filter((line) => line.startsWith('m='))
  const [only, ...more] = media
  if (only === undefined || more.length > 0 || !MEDIA.test(only)) throw refuse('a description of more than one data channel')
  const prints = lines.filter((line) => line.startsWith(FINGERPRINT))
  const fingerprint = prints.length === 1 ? readFingerprint((prints[0] ?? '').slice(FINGERPRINT.length)) : undefined
  if (fingerprint === undefined) throw refuse('a description without one SHA-256 fingerprint')
  let candidates = 0
  const kept = lines.filter((line) => {
    if (line.startsWith('a=candidate:')) return isCandidateAllowed(line, scope) && ++candidates <= LIMITS.candidatesPerPeer
    return PRINTABLE.test(line) && KEPT.some((start) => line.startsWith(start))
  })
  return { sdp: `${kept.join('\r\n')}\r\n`, fingerprint }
}

/**
 * Whether a browser may send packets there. The page that names a candidate may be anybody, so nothing that only this machine or a
 * whole network would answer, and no well-known port.
 */
export function isCandidateAllowed(candidate: string, scope: CandidateScope): boolean {
  const match = candidate.length > LIMITS.candidateBytes ? null : CANDIDATE.exec(candidate)
  if (match === null) return false
  const [, transport = '', address = '', port = '', type = ''] = match
  if (transport.toLowerCase() !== 'udp' || Number(port) < 1024 || Number(port) > 65_535) return false
  return MDNS.test(address) ? type === 'host' : isWithin(scope, reachOf(address), type)
}

function isWithin(scope: CandidateScope, reach: Reach, type: string): boolean {
  if (reach === 'none') return false
  return scope === 'any' || (reach === 'private' && type === 'host')
}

type Reach = 'none' | 'private' | 'public'

/**
 * The IPv4 blocks that IANA's registry of special-purpose addresses (RFC 6890) does not call globally reachable, with multicast and class E:
 * first address, prefix length. What is in none of them is public. Of shared and test networks a page in a LAN has no need.
 */
const BLOCKS: readonly (readonly [string, number, Reach])[] = [
  ['0.0.0.0', 8, 'none'],
  ['10.0.0.0', 8, 'private'],
  ['100.64.0.0', 10, 'none'],
  ['127.0.0.0', 8, 'none'],
  ['169.254.0.0', 16, 'none'],
  ['172.16.0.0', 12, 'private'],
  ['192.0.0.0', 24, 'none'],
  ['192.0.2.0', 24, 'none'],
  ['192.88.99.0', 24, 'none'],
  ['192.168.0.0', 16, 'private'],
  ['198.18.0.0', 15, 'none'],
  ['198.51.100.0', 24, 'none'],
  ['203.0.113.0', 24, 'none'],
  ['224.0.0.0', 3, 'none'],
]

/**
 * The same for IPv6, by the first 32 bits; the first that fits counts. Only 2000::/3 is given out for the internet: loopback, link-local,
 * multicast and translated IPv4 are outside it. Inside are blocks for protocols (Teredo, ORCHID), documentation, and 6to4.
 */
const IPV6_BLOCKS: readonly (readonly [number, number, Reach])[] = [
  [0xfc00_0000, 7, 'private'],
  [0x2001_0000, 23, 'none'],
  [0x2001_0db8, 32, 'none'],
  [0x2002_0000, 16, 'none'],
  [0x3fff_0000, 20, 'none'],
  [0x2000_0000, 3, 'public'],
]

function reachOf(address: string): Reach {
  return address.includes(':') ? reachOfIpv6(address.toLowerCase()) : reachOfIpv4(address)
}

function reachOfIpv4(address: string): Reach {
  const number = numberOfIpv4(address)
  if (number === undefined) return 'none'
  const block = BLOCKS.find(
    ([first, bits]) => Math.floor(number / 2 ** (32 - bits)) === Math.floor((numberOfIpv4(first) ?? 0) / 2 ** (32 - bits)),
  )
  return block?.[2] ?? 'public'
}

/** Undefined unless it is four decimal numbers below 256, none with a leading zero: browsers differ on what that would mean. */
function numberOfIpv4(address: string): number | undefined {
  const parts = address.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return undefined
  return parts.reduce((number, part) => number * 256 + Number(part), 0)
}

function reachOfIpv6(address: string): Reach {
  if (!/^[0-9a-f:.]{2,45}$/.test(address)) return 'none'
  const [first = 0, second = 0] = address.split(':', 2).map((group) => (group === '' ? 0 : Number.parseInt(group, 16)))
  const number = first * 0x10000 + second
  const block = IPV6_BLOCKS.find(([start, bits]) => Math.floor(number / 2 ** (32 - bits)) === Math.floor(start / 2 ** (32 - bits)))
  return block?.[2] ?? 'none'
}

function refuse(detail: string): DeliveryError {
  return new DeliveryError({ code: 'peer-frame', detail })
}
