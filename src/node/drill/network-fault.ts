/** What becomes of connections to one place, as somebody between it and the browser can bring it about. */
export type NetworkFault =
  /** Every connection ends at once, those that are open too. */
  | { readonly kind: 'refused' }
  /** Connections are taken, and nothing comes of them. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }

/** Who a place is to a portal. An address may be several of these at once. */
export type Role = 'portal' | 'cdn' | 'gateway' | 'signaling'

export type FaultPlan = Partial<Readonly<Record<Role, NetworkFault>>>

/**
 * What a plan means for an address. What is neither portal nor gateway nor signaling is a CDN: the signed catalogue may name more origins
 * than `sealift.json` does.
 * @param roles by `host:port`
 */
export function faultFor(authority: string, roles: ReadonlyMap<string, readonly Role[]>, plan: FaultPlan): NetworkFault | undefined {
  const own = roles.get(authority) ?? ['cdn']
  return own.map((role) => plan[role]).find((fault) => fault !== undefined)
}

/** `host:port` of a URL, with the port that its scheme implies. */
export function authorityOf(url: string): string {
  const { hostname, port, protocol } = new URL(url)
  return `${hostname}:${port === '' ? impliedPort(protocol) : port}`
}

function impliedPort(protocol: string): string {
  return protocol === 'https:' || protocol === 'wss:' ? '443' : '80'
}
