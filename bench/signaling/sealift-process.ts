import { startSignaling, type SignalingCounts, type SignalingOptions, type SignalingServer } from '../../signaling/server.ts'
import { capYoungSpace } from '../../signaling/young-space.ts'
import { serveCalls } from '../delivery/child.ts'
import { usageOfThis } from './usage.ts'

/** All come from one address, and at once. Nothing else is other than a deployment has it. */
const LIMITS = {
  connections: 100_000,
  connectionsPerAddress: 100_000,
  upgradeBurst: 1_000_000,
  seatsPerAddress: 64,
} as const

let server: SignalingServer | undefined

serveCalls({
  async start({ limits, ...options }: SignalingOptions): Promise<string> {
    // As `sealift signaling` does.
    capYoungSpace()
    server = await startSignaling({ ...options, limits: { ...LIMITS, ...limits } })
    return server.url
  },
  usage: usageOfThis,
  counts: (): SignalingCounts | undefined => server?.counts(),
  /** As SIGTERM does it. */
  drain: () => server?.close(),
})
