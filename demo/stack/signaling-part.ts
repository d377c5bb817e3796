import type { Clock, TicketKey } from 'sealift/protocol'
import { startSignaling, type SignalingServer } from '../../signaling/server.ts'
import { createSystemClock } from '../../signaling/system-clock.ts'
import type { PartMode, PartState } from './parts.ts'

/** The signaling server as a part that can be killed, and started again with its clock ahead. */
export interface SignalingPart {
  /** `ws:`, the same after every start. */
  readonly url: string
  readonly state: PartState
  set(mode: PartMode): Promise<void>
  close(): Promise<void>
}

export interface SignalingPartOptions {
  readonly key: TicketKey
  readonly origins: readonly string[]
  readonly onChange: () => void
}

export async function startSignalingPart(options: SignalingPartOptions): Promise<SignalingPart> {
  const start = (port: number, clockAheadSeconds: number): Promise<SignalingServer> =>
    startSignaling({
      admission: { kind: 'ticket', keys: [options.key] },
      origins: options.origins,
      port,
      clock: clockAhead(clockAheadSeconds),
    })
  let server: SignalingServer | undefined = await start(0, 0)
  const { url, port } = server
  const stop = async (): Promise<void> => {
    const stopping = server
    server = undefined
    await stopping?.kill()
  }
  return {
    url,
    get state() {
      return server === undefined ? 'down' : 'up'
    },
    async set(mode) {
      if (mode === 'down') await stop()
      else if (typeof mode === 'object' && 'clockAheadSeconds' in mode) {
        await stop()
        server = await start(port, mode.clockAheadSeconds)
      } else server ??= await start(port, 0)
      options.onChange()
    },
    close: stop,
  }
}

function clockAhead(seconds: number): Clock {
  const clock = createSystemClock()
  return { ...clock, nowMs: () => clock.nowMs() + seconds * 1000 }
}
