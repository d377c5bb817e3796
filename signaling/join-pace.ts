import type { SwarmId } from 'sealift/protocol'
import type { SignalingLimits } from './limits.ts'
import { createTokenBucket, type TokenBucket } from './token-bucket.ts'

/** Slows whoever joins one room over and over: each time up to eight others are told. */
export interface JoinPace {
  /** True when it may join this room now, which counts. */
  take(swarm: SwarmId, nowMs: number): boolean
}

/** Rooms that one connection's pace is remembered of, in multiples of those it may be in. Who visits more in turn is too fast as well. */
const ROOMS_REMEMBERED = 4

export function createJoinPace(limits: SignalingLimits): JoinPace {
  const paces = new Map<SwarmId, TokenBucket>()
  return {
    take(swarm, nowMs) {
      const known = paces.get(swarm)
      if (known !== undefined) return known.take(nowMs)
      for (const [other, pace] of paces) if (pace.isFull(nowMs)) paces.delete(other)
      if (paces.size >= ROOMS_REMEMBERED * limits.roomsPerConnection) return false
      const pace = createTokenBucket({ burst: limits.joinBurst, perSecond: limits.joinsPerSecond }, nowMs)
      paces.set(swarm, pace)
      return pace.take(nowMs)
    },
  }
}
