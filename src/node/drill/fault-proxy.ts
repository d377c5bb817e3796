import { once } from 'node:events'
import { createServer, request as requestFrom, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex, Writable } from 'node:stream'
import type { Clock } from '../../core/ports.ts'
import { FaultValve } from './fault-valve.ts'
import { authorityOf, type NetworkFault } from './network-fault.ts'

/** An HTTP proxy on loopback that a browser sends everything through: what it does to a place, it does to pages and workers alike. */
export interface FaultProxy {
  /** For `--proxy-server`. */
  readonly url: string
  /** From now on, also for what is open. @param faultOf by `host:port` */
  setFaults(faultOf: (authority: string) => NetworkFault | undefined): void
  close(): Promise<void>
}

const CONNECT_MS = 10_000

interface State {
  readonly clock: Clock
  readonly valves: Set<FaultValve>
  faultOf: (authority: string) => NetworkFault | undefined
}

export async function startFaultProxy(clock: Clock): Promise<FaultProxy> {
  const state: State = { clock, valves: new Set(), faultOf: () => undefined }
  const lines = new Set<Duplex>()
  const server = createServer((request, response) => relay(state, request, response))
  server.on('connection', (line: Socket) => {
    lines.add(line)
    line.once('close', () => lines.delete(line))
  })
  server.on('connect', (request: IncomingMessage, line: Duplex, head: Buffer) => tunnel(state, request.url ?? '', { line, head }))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    setFaults(faultOf) {
      state.faultOf = faultOf
      for (const valve of state.valves) valve.look()
    },
    async close() {
      for (const line of lines) line.destroy()
      for (const valve of state.valves) valve.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** https and WebSockets: bytes that nobody here can read. */
function tunnel(state: State, authority: string, { line, head }: { readonly line: Duplex; readonly head: Buffer }): void {
  line.on('error', ignore)
  const target = addressIn(authority)
  if (target === undefined || state.faultOf(authority)?.kind === 'refused') {
    line.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')
    return
  }
  const far = connect({ ...target, timeout: CONNECT_MS })
  const valve = openValve(state, authority)
  far.once('connect', () => {
    far.setTimeout(0)
    line.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    far.write(head)
    line.pipe(far)
    far.pipe(valve).pipe(line)
  })
  far.on('timeout', () => line.destroy())
  far.on('error', () => line.destroy())
  endTogether(line, far, valve)
}

/** `host:port` of a CONNECT, which any program of this machine can send. */
function addressIn(authority: string): { readonly host: string; readonly port: number } | undefined {
  const [, host = '', port = ''] = /^\[?([^[\]]+)\]?:(\d{1,5})$/.exec(authority) ?? []
  return host === '' || Number(port) < 1 || Number(port) > 65_535 ? undefined : { host, port: Number(port) }
}

/** Plain http. */
function relay(state: State, request: IncomingMessage, response: ServerResponse): void {
  const target = URL.canParse(request.url ?? '') ? new URL(request.url ?? '') : undefined
  if (target?.protocol !== 'http:') {
    response.writeHead(400).end()
    return
  }
  const authority = authorityOf(target.href)
  // An answer of ours would be one of the place: only a connection that ends says that nobody is there.
  const cut = (): void => void request.socket.destroy()
  if (state.faultOf(authority)?.kind === 'refused') return cut()
  const { 'proxy-connection': _, ...headers } = request.headers
  const valve = openValve(state, authority)
  const far = requestFrom(target, { method: request.method ?? 'GET', headers, timeout: CONNECT_MS }, (answer) => {
    answer.on('error', cut)
    // From here on a silence may be the fault that is played.
    far.setTimeout(0)
    // Node sends the head with the first bytes of the body, which a silent place keeps back.
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.headers)
    answer.pipe(valve).pipe(response)
  })
  far.on('timeout', cut)
  far.on('error', cut)
  request.pipe(far)
  endTogether(response, far, valve)
}

function openValve(state: State, authority: string): FaultValve {
  const valve = new FaultValve(() => state.faultOf(authority), state.clock)
  state.valves.add(valve)
  valve.once('close', () => state.valves.delete(valve))
  valve.on('error', ignore)
  return valve
}

/** Ends the far side with the near one, and the near one when its valve is shut before all has passed. */
function endTogether(near: Writable, far: { destroy(): unknown }, valve: FaultValve): void {
  near.once('close', () => {
    far.destroy()
    valve.destroy()
  })
  valve.once('close', () => {
    if (!near.writableEnded) near.destroy()
  })
}

/** A close follows, which says it all. */
function ignore(): void {}
