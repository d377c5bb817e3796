import type { SourceId } from '../../core/model/ids.ts'
import type { Clock, Tier } from '../../core/ports.ts'

/** `RequestInit` with the hint of Local Network Access, which the DOM types lack. */
export interface AddressedRequestInit extends RequestInit {
  targetAddressSpace?: 'local' | 'loopback'
}

export type Fetch = (url: string, init: AddressedRequestInit) => Promise<Response>

export interface HttpSourceOptions {
  readonly id: SourceId
  readonly tier: Exclude<Tier, 'mesh'>
  /** Ends in `/`; the published layout lies under it. */
  readonly baseUrl: string
  readonly clock: Clock
  readonly fetch: Fetch
  /** Lets an https page reach an http gateway, from a window only (Local Network Access). */
  readonly addressSpace?: 'local' | 'loopback' | undefined
  /** Turns the plain URL into a signed one. Its host is contacted, so it must be one that the site names. */
  readonly rewriteUrl?: ((url: string) => string | Promise<string>) | undefined
  /** Hosts (`name:port`) that a redirect may lead to. Default none: redirects are then refused before they are followed. */
  readonly redirectHosts?: readonly string[] | undefined
  /** Most adjoining pieces per request. Default 16 for a CDN; 1 for a gateway, which may cut wrong between its slices. */
  readonly maxRunPieces?: number | undefined
}
