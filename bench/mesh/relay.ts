import { WebSocket } from 'ws'
import { leadCandidates } from '../../test/faults/lead-candidates.ts'
import type { LineShape } from '../../test/faults/line.ts'
import { startChild } from '../delivery/child.ts'
import { startHub, textOf, type Hub } from './hub.ts'
import type { Endpoint, RelayCounts, Side } from './relay-process.ts'

/** A path between two machines, for browsers that are on one. Any WebRTC program can be led through it by its signaling. */
export interface Relay {
  /**
   * A signaling server as pages of one side reach it. What they say passes through here, and the ports of their candidates become ports of the
   * relay. The names stay: they are those that hide a machine's address (mDNS), and lead to this machine.
   */
  proxy(upstreamUrl: string, side: Side): Promise<string>
  counts(): Promise<RelayCounts>
  close(): Promise<void>
}

export async function startRelay(shape: LineShape): Promise<Relay> {
  const child = await startChild(new URL('./relay-process.js', import.meta.url))
  await child.call('shape', shape)
  const hubs: Hub[] = []
  const expose = (endpoint: Endpoint): Promise<number> => child.call<number>('expose', endpoint)
  return {
    async proxy(upstreamUrl, side) {
      const hub = await startHub((socket, { headers: { origin } }) =>
        join(socket, new WebSocket(upstreamUrl, origin === undefined ? {} : { origin }), (text) =>
          leadCandidates(text, (port) => expose({ side, port })),
        ),
      )
      hubs.push(hub)
      return hub.url
    },
    counts: () => child.call<RelayCounts>('counts'),
    async close() {
      await Promise.all(hubs.map((hub) => hub.close()))
      await child.close()
    },
  }
}

function join(page: WebSocket, upstream: WebSocket, rewrite: (text: string) => Promise<string>): void {
  // One after the other: a candidate must not overtake its description.
  let said = new Promise<void>((resolve) => upstream.once('open', resolve))
  page.on('message', (data) => {
    said = said.then(async () => upstream.send(await rewrite(textOf(data))))
  })
  upstream.on('message', (data) => page.send(textOf(data)))
  page.on('close', () => upstream.close())
  upstream.on('close', () => page.close())
  for (const socket of [page, upstream]) socket.on('error', () => socket.terminate())
}
