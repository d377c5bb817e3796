import { isIP } from 'node:net'

/** Name or address of a URL, without brackets and port. */
export function hostOf(url: string): string {
  return new URL(url).hostname.replaceAll(/^\[|\]$/g, '')
}

/** Of this very machine, whoever resolves names: what goes there leaves it by no wire. */
export function isLoopback(url: string): boolean {
  const host = hostOf(url)
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
