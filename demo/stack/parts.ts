/** What can be switched, and how. Shared by the servers and the page. */

export const PARTS = ['cdn-1', 'cdn-2', 'gateway', 'portal', 'signaling'] as const
export type Part = (typeof PARTS)[number]

/**
 * `up` and `down` mean what they say: `down` closes the listening socket and destroys every connection.
 * `wrong-bytes` alters the bytes of artifacts, and of nothing else. `dieAfterBytes` goes `down` by itself once it has sent so many
 * bytes of artifacts. `rateBytesPerSecond` is shared by all requests of one origin.
 */
export type PartMode =
  | 'up'
  | 'down'
  | 'wrong-bytes'
  | { readonly dieAfterBytes: number }
  | { readonly rateBytesPerSecond: number }
  /** Signaling only: how far its clock runs ahead. */
  | { readonly clockAheadSeconds: number }

/** How one part is now: what the page shows. */
export type PartState = 'up' | 'down' | 'wrong-bytes'

export function isPart(value: unknown): value is Part {
  return PARTS.some((part) => part === value)
}

export function isPartState(value: unknown): value is PartState {
  return value === 'up' || value === 'down' || value === 'wrong-bytes'
}
