import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { limitKeyOf, plainAddress } from './address.ts'

export interface OpenLineRules {
  /** TCP connections of one address (IPv6: a /64). */
  readonly perAddress: number
  /** Addresses that are not counted: behind a proxy are many clients, and it limits them itself. */
  readonly exempt: ReadonlySet<string>
  readonly onCut: () => void
}

/** Cuts TCP connections beyond an address's share, before a byte is read: one host that says nothing could else hold every one there is. */
export function limitOpenLines(server: Server, { perAddress, exempt, onCut }: OpenLineRules): void {
  const counts = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress ?? '')
    if (exempt.has(address)) return
    const key = limitKeyOf(address)
    const count = counts.get(key) ?? 0
    if (count >= perAddress) {
      onCut()
      socket.destroy()
      return
    }
    counts.set(key, count + 1)
    // It closes once; `once` itself would hold an object and a function more for each of thousands.
    socket.on('close', () => {
      const left = (counts.get(key) ?? 1) - 1
      if (left === 0) counts.delete(key)
      else counts.set(key, left)
    })
  })
}
