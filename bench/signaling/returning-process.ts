import type { SignalingClient } from '../../src/sources/mesh/signaling-client.ts'
import { startReturningClient } from '../../test/load/returning-client.ts'
import { serveCalls } from '../delivery/child.ts'

export interface ReturningPlan {
  readonly url: string
  readonly origin: string
  /** Numbers of the clients: `from` up to, and without, `end`. */
  readonly from: number
  readonly end: number
  readonly roomSize: number
}

/** A start of all at once is no part of what is measured. */
const START_EACH_MS = 2

const clients: SignalingClient[] = []

serveCalls({
  async start({ url, origin, from, end, roomSize }: ReturningPlan) {
    for (let index = from; index < end; index++) {
      clients.push(startReturningClient({ url, origin, room: Math.floor(index / roomSize) }))
      await new Promise((resolve) => setTimeout(resolve, START_EACH_MS))
    }
  },
  online: () => clients.filter(({ state }) => state.isOnline).length,
})
