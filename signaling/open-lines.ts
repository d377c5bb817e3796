import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { limitKeyOf, plainAddress } from './address.ts'

export interface OpenLineRules {
  /** TCP connections of one address (IPv6: a /64). */
  readonly perAddress: number
  /** Of those, such as are not counted here any more. @param key of the address */
  readonly socketsOf: (key: string) => number
  /** Addresses that are not counted: behind a proxy are many clients, and it limits them itself. */
  readonly exempt: ReadonlySet<string>
  readonly onCut: () => void
}

export interface OpenLines {
  /** It has become a socket and is counted as that: nothing of it is kept here. */
  release(line: Duplex): void
}

/** Cuts TCP connections beyond an address's share, before a byte is read: one host that says nothing could else hold every one there is. */
export function limitOpenLines(server: Server, { perAddress, socketsOf, exempt, onCut }: OpenLineRules): OpenLines {
  const keys = new Map<Duplex, string>()
  const counts = new Map<string, number>()
  const forget = (line: Duplex): void => {
    const key = keys.get(line)
    if (key === undefined) return
    keys.delete(line)
    const left = (counts.get(key) ?? 1) - 1
    if (left === 0) counts.delete(key)
    else counts.set(key, left)
  }
  // One function for all of them, rather than one for each of thousands.
  const onClose = function (this: Socket): void {
    forget(this)
  }
  server.on('connection', (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress ?? '')
    if (exempt.has(address)) return
    const key = limitKeyOf(address)
    const count = counts.get(key) ?? 0
    if (count + socketsOf(key) >= perAddress) {
      onCut()
      socket.destroy()
      return
    }
    keys.set(socket, key)
    counts.set(key, count + 1)
    socket.on('close', onClose)
  })
  return {
    // The listener stays, which costs less than taking it away from each.
    release: forget,
  }
}
