import { createHmac } from 'node:crypto'
import type { IceServer, PeerId } from 'sealift/protocol'

/** A TURN server that shares a secret with this one, as coturn's `use-auth-secret` has it. */
export interface TurnOptions {
  /** `turn:` or `turns:`. */
  readonly urls: readonly string[]
  /** Its `static-auth-secret`. */
  readonly secret: string
  /** How long credentials are good for. A member gets new ones every nine minutes. Default an hour. */
  readonly lifetimeSeconds?: number
}

const LIFETIME_SECONDS = 3600
const LONGEST_SECONDS = 86_400
const SHORTEST_SECRET = 16

/** What a member is told of: servers that are the same for all, and TURN with credentials of its own. */
export type IceFor = (peer: PeerId, nowSeconds: number) => readonly IceServer[]

/**
 * Credentials after draft-uberti-behave-turn-rest-00: the name says when they end, and is vouched for by HMAC-SHA-1, so that the relay needs to
 * know nobody. A relay that hands out traffic to whoever has read a page would be everybody's proxy.
 * @throws {RangeError} when the secret is short, or the lifetime no number of seconds up to a day
 */
export function createIce(fixed: readonly IceServer[], turn: TurnOptions | undefined): IceFor {
  if (turn === undefined) return () => fixed
  const { urls, secret, lifetimeSeconds = LIFETIME_SECONDS } = turn
  if (secret.length < SHORTEST_SECRET) throw new RangeError(`expected a TURN secret of at least ${SHORTEST_SECRET} characters`)
  if (!Number.isInteger(lifetimeSeconds) || lifetimeSeconds < 1 || lifetimeSeconds > LONGEST_SECONDS)
    throw new RangeError(`expected a TURN lifetime of 1 to ${LONGEST_SECONDS} seconds, got ${lifetimeSeconds}`)
  return (peer, nowSeconds) => {
    // The name that this server made up for the session: the relay learns nothing else, and its logs fit ours.
    const username = `${nowSeconds + lifetimeSeconds}:${peer}`
    const credential = createHmac('sha1', secret).update(username).digest('base64')
    return [...fixed, ...urls.map((url) => ({ urls: url, username, credential }))]
  }
}
