import { hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP, isIPv4, isIPv6 } from 'node:net'

/**
 * The address a request comes from. `X-Forwarded-For` counts only as far as configured proxies wrote it:
 * the right-most entry that is not such a proxy, since everything left of it is the client's own claim.
 */
export function clientAddress(request: IncomingMessage, trustedProxies: ReadonlySet<string>): string {
  const forwarded = request.headers['x-forwarded-for']
  const hops = (typeof forwarded === 'string' ? forwarded.split(',') : []).map((hop) => plainAddress(hop.trim()))
  let address = plainAddress(request.socket.remoteAddress ?? '')
  while (trustedProxies.has(address)) {
    const hop = hops.pop()
    if (hop === undefined || isIP(hop) === 0) return address
    address = hop
  }
  return address
}

/** Who shares a limit: an IPv4 address, or an IPv6 /64, which is what one household or host is given. */
export function limitKeyOf(address: string): string {
  const groups = ipv6Groups(address)
  return groups === undefined ? address : `${groups.slice(0, 4).join(':')}::/64`
}

/** Salted and hashed, so that what the server keeps names nobody. @param network as `networkOf` has it */
export function lanKeyOf(network: string, salt: Uint8Array): string {
  return hashed(salt, network)
}

/** An address as rooms know it, and other processes: salted and hashed as well. */
export function houseKeyOf(limitKey: string, salt: Uint8Array): string {
  return hashed(salt, `house ${limitKey}`)
}

function hashed(salt: Uint8Array, text: string): string {
  return hash('sha256', Buffer.concat([salt, Buffer.from(text)]), 'base64url')
}

/**
 * Who is likely in one LAN: the same public IPv4 address, the same private IPv4 /24 (a server inside the LAN sees those), or the
 * same IPv6 /56.
 */
export function networkOf(address: string): string {
  const groups = ipv6Groups(address)
  if (groups === undefined) return ipv4NetworkOf(address)
  const isLoopback = groups.every((group, i) => group === (i === 7 ? 1 : 0))
  return isLoopback ? 'loopback' : `${groups.slice(0, 3).join(':')}:${(groups[3] ?? 0) >> 8}`
}

function ipv4NetworkOf(address: string): string {
  if (address.startsWith('127.')) return 'loopback'
  const isPrivate = /^(?:10|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01]))\./.test(address)
  return isPrivate ? `${address.slice(0, address.lastIndexOf('.'))}.0/24` : address
}

/** IPv4 seen through an IPv6 socket is IPv4. */
export function plainAddress(address: string): string {
  // Most are plain IPv4: each is looked at several times as it connects.
  if (!address.includes(':')) return address
  const mapped = address.toLowerCase().replace(/^::ffff:/, '')
  return isIPv4(mapped) ? mapped : address
}

function ipv6Groups(address: string): readonly number[] | undefined {
  if (!address.includes(':')) return undefined
  const bare = address.replace(/%.*$/, '')
  if (!isIPv6(bare)) return undefined
  const [head = '', tail] = bare.split('::')
  const left = groupsOf(head)
  const right = tail === undefined ? [] : groupsOf(tail)
  return [...left, ...Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => 0), ...right]
}

function groupsOf(text: string): readonly number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}
