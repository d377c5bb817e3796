/** One socket's half of a protocol: what it says, and what it makes of what it hears. Holds no socket. */
export interface LoadPeer {
  /** Once, when the socket is open. */
  greet(): void
  /** Asks one other peer of its room for a connection, which answers. False: it was told of nobody. */
  offer(): boolean
  hear(text: string): Heard
}

/**
 * `joined`: it is in its room; `answered`: its offer came back as an answer; `gone`: whom it asked has left;
 * `drained`: the server said that it goes.
 */
export type Heard = 'joined' | 'answered' | 'gone' | 'drained' | 'refused' | undefined

export interface LoadPeerOptions {
  /** Among all sockets of the run: says which room it joins. */
  readonly index: number
  readonly roomSize: number
  /** What an offer and an answer hold. */
  readonly sdp: string
  /** Undefined where admission is open. */
  readonly ticket: string | undefined
  readonly say: (text: string) => void
}

/** As long as the descriptions of a browser, and as dull to whoever passes it on. */
export function sdpOf(bytes: number): string {
  const line = 'a=candidate:1 1 udp 2113937151 192.0.2.1 40000 typ host\r\n'
  return `v=0\r\n${line.repeat(Math.ceil(bytes / line.length))}`.slice(0, bytes)
}
