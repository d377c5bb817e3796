/** Passes packets between browsers of this machine as a path between two machines would. In a process of its own. */

import { createSocket, type Socket } from 'node:dgram'
import { createLine, type Line, type LineShape } from '../../test/faults/line.ts'
import { serveCalls } from '../delivery/child.ts'

/** The two machines that the browsers stand for. */
export type Side = 'leech' | 'seed'

export interface Endpoint {
  readonly side: Side
  /** Where a browser listens. */
  readonly port: number
}

export interface RelayCounts {
  readonly passed: number
  readonly dropped: number
}

interface Member extends Endpoint {
  /** Stands for the endpoint: what comes here is for it, and what it sends leaves from here. */
  readonly socket: Socket
  /** Unknown before it has sent anything. */
  address: string | undefined
}

interface Packet {
  readonly dueMs: number
  readonly bytes: Buffer
  readonly from: Member
  readonly to: Member
  readonly address: string
}

const SOCKET_BYTES = 4 * 1024 * 1024

const members = new Map<number, Member>()
const waiting: Record<Side, Packet[]> = { leech: [], seed: [] }
let lines: Readonly<Record<Side, Line>> = linesOf({ bytesPerMs: undefined, queueBytes: 0, delayMs: 0 })
let counts = { passed: 0, dropped: 0 }
let timer: NodeJS.Timeout | undefined

serveCalls({
  /** Forgets everybody, and shapes each direction. */
  shape(shape: LineShape): void {
    for (const { socket } of members.values()) socket.close()
    members.clear()
    for (const side of ['leech', 'seed'] as const) waiting[side] = []
    lines = linesOf(shape)
    counts = { passed: 0, dropped: 0 }
  },
  /** @returns the port that others reach the endpoint at */
  async expose({ side, port }: Endpoint): Promise<number> {
    const known = members.get(port)
    if (known !== undefined) return known.socket.address().port
    const socket = createSocket({ type: 'udp4', recvBufferSize: SOCKET_BYTES, sendBufferSize: SOCKET_BYTES })
    await new Promise<void>((resolve) => socket.bind(0, resolve))
    const member: Member = { side, port, socket, address: undefined }
    members.set(port, member)
    socket.on('message', (bytes, sender) => take(member, bytes, sender))
    // The browser closed its own: there is nobody to tell.
    socket.on('error', () => undefined)
    return socket.address().port
  },
  counts: (): RelayCounts => counts,
})

/** By the side that packets go to. */
function linesOf(shape: LineShape): Readonly<Record<Side, Line>> {
  return { leech: createLine(shape), seed: createLine(shape) }
}

function take(to: Member, bytes: Buffer, sender: { readonly address: string; readonly port: number }): void {
  const from = members.get(sender.port)
  if (from === undefined) return
  from.address = sender.address
  const dueMs = lines[to.side].pass(bytes.length, performance.now())
  if (dueMs === undefined) {
    counts.dropped++
    return
  }
  counts.passed++
  // All are on one machine: who has not sent anything yet listens at the address that others send from.
  waiting[to.side].push({ dueMs, bytes, from, to, address: to.address ?? sender.address })
  timer ??= setTimeout(passOn, 0)
}

/** In the order in which they came: a line does not overtake itself. */
function passOn(): void {
  timer = undefined
  const nowMs = performance.now()
  let nextMs = Infinity
  for (const side of ['leech', 'seed'] as const) {
    const queue = waiting[side]
    let sent = 0
    for (const { dueMs, bytes, from, to, address } of queue) {
      if (dueMs > nowMs) break
      // `shape` may have closed it meanwhile.
      if (members.get(from.port) === from) from.socket.send(bytes, to.port, address)
      sent++
    }
    if (sent > 0) waiting[side] = queue.slice(sent)
    nextMs = Math.min(nextMs, waiting[side][0]?.dueMs ?? Infinity)
  }
  if (nextMs < Infinity) timer = setTimeout(passOn, Math.max(0, nextMs - performance.now()))
}
