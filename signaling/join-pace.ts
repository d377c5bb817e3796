import type { SwarmId } from 'sealift/protocol'
import type { SignalingLimits } from './limits.ts'
import { createTokenBucket, type TokenBucket, type TokenRate } from './token-bucket.ts'

/** Slows whoever joins one room over and over: it could go as often, and each time up to eight others are told. */
export interface JoinPace {
  /** True when it may join this room now, which counts. */
  take(swarm: SwarmId, nowMs: number): boolean
}

/** What is the same for all connections of a server. */
export interface JoinRules {
  readonly rate: TokenRate
  /** Whose pace is remembered, of one connection. Who visits more in turn is too fast as well. */
  readonly rooms: number
}

/** Rooms remembered, in multiples of those that a connection may be in. */
const ROOMS_REMEMBERED = 4

export function joinRulesOf(limits: SignalingLimits): JoinRules {
  return {
    rate: { burst: limits.joinBurst, perSecond: limits.joinsPerSecond },
    rooms: ROOMS_REMEMBERED * limits.roomsPerConnection,
  }
}

export function createJoinPace(rules: JoinRules): JoinPace {
  return new ListedPaces(rules)
}

/** A list, not a map: most connections join one room, and there are as many of these as connections. */
class ListedPaces implements JoinPace {
  readonly #rules: JoinRules
  #paces: readonly { readonly swarm: SwarmId; readonly bucket: TokenBucket }[] = []

  constructor(rules: JoinRules) {
    this.#rules = rules
  }

  take(swarm: SwarmId, nowMs: number): boolean {
    const known = this.#paces.find((pace) => pace.swarm === swarm)
    if (known !== undefined) return known.bucket.take(nowMs)
    const remembered = this.#paces.filter(({ bucket }) => !bucket.isFull(nowMs))
    if (remembered.length >= this.#rules.rooms) return false
    const bucket = createTokenBucket(this.#rules.rate, nowMs)
    this.#paces = [...remembered, { swarm, bucket }]
    return bucket.take(nowMs)
  }
}
