import { createRedisBus, type RedisBusOptions } from '../../signaling/redis-bus.ts'
import { startSignaling, type SignalingCounts, type SignalingOptions, type SignalingServer } from '../../signaling/server.ts'
import { serveCalls } from '../delivery/child.ts'

interface SharedServer extends Omit<SignalingOptions, 'bus'> {
  readonly redis: RedisBusOptions
}

let server: SignalingServer | undefined

serveCalls({
  async start({ redis, ...options }: SharedServer): Promise<string> {
    server = await startSignaling({ ...options, bus: await createRedisBus(redis) })
    return server.url
  },
  counts: (): SignalingCounts | undefined => server?.counts(),
})
