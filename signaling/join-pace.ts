import type { SwarmId } from 'sealift/protocol'
import type { SignalingLimits } from './limits.ts'
import { takeToken, type TokenRate } from './token-bucket.ts'

/** How often one connection has joined a room lately: when it may as often again as at first. */
export interface JoinPace {
  readonly swarm: SwarmId
  readonly fullAtMs: number
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

/**
 * Slows whoever joins one room over and over: it could go as often, and each time up to eight others are told.
 * @returns the paces with this join counted; undefined when it is too soon for it
 */
export function countJoin(paces: readonly JoinPace[], swarm: SwarmId, nowMs: number, rules: JoinRules): readonly JoinPace[] | undefined {
  const known = paces.find((pace) => pace.swarm === swarm)
  const fullAtMs = takeToken(rules.rate, known?.fullAtMs ?? 0, nowMs)
  if (fullAtMs === undefined) return undefined
  const others = paces.filter((pace) => pace !== known && pace.fullAtMs > nowMs)
  if (known === undefined && others.length >= rules.rooms) return undefined
  return [...others, { swarm: known?.swarm ?? swarm, fullAtMs }]
}
