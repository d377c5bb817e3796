import { once } from 'node:events'
import type { EventEmitter } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { serveCalls } from '../delivery/child.ts'
import { usageOfThis } from './usage.ts'

/** What is used of a server of bittorrent-tracker. */
interface Tracker extends EventEmitter {
  readonly http: { address(): AddressInfo }
  listen(port: number, host: string): void
}
type TrackerClass = new (options: { readonly udp: false; readonly http: false; readonly ws: true; readonly stats: false }) => Tracker

serveCalls({
  /** @param folder of the installed package */
  async start(folder: string): Promise<string> {
    const { default: Server } = (await import(pathToFileURL(join(folder, 'server.js')).href)) as { readonly default: TrackerClass }
    const tracker = new Server({ udp: false, http: false, ws: true, stats: false })
    // Bad messages: the generator counts what it misses.
    tracker.on('warning', () => {})
    tracker.listen(0, '127.0.0.1')
    await once(tracker, 'listening')
    return `ws://127.0.0.1:${tracker.http.address().port}/`
  },
  usage: usageOfThis,
})
