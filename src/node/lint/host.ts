import { BlockList, isIP } from 'node:net'
import { hostOf, isLoopback } from '../loopback.ts'

const LAN = new BlockList()
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['127.0.0.0', 8],
] as const)
  LAN.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of [
  ['fc00::', 7],
  ['fe80::', 10],
  ['::1', 128],
] as const)
  LAN.addSubnet(network, prefix, 'ipv6')

/** Words in a name by which people say that it is theirs alone: `gateway.lan`, `signal.lan.example`. */
const LOCAL_LABELS: ReadonlySet<string> = new Set(['lan', 'local', 'localdomain', 'localhost', 'internal', 'intranet', 'home'])

/**
 * The part of a host's name that somebody registered, or the whole of an address: who loses it loses all below it. Nobody is asked and no list of
 * public suffixes is kept: it is taken to be the last two labels, which is too short under `co.uk` and its like.
 */
export function zoneOf(url: string): string {
  const host = hostOf(url)
  return isIP(host) === 0 ? host.split('.').slice(-2).join('.') : host
}

/** True for an address of a local network, and for a name that says so of itself. A public name that leads to a local address looks like any other. */
export function isLocal(url: string): boolean {
  const host = hostOf(url)
  const version = isIP(host)
  if (version === 0) return host.split('.').some((label) => LOCAL_LABELS.has(label))
  return LAN.check(host, version === 4 ? 'ipv4' : 'ipv6')
}

/** What browsers trust without TLS: this very machine, and names that they resolve to it themselves. */
export function isTrustedPlain(url: string): boolean {
  return isLoopback(url) || hostOf(url).endsWith('.localhost')
}
