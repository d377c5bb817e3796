/** Sources that fail as they are told to, in a process of their own. */

import { startFaultServer, type FaultRequest, type FaultServer } from '../../test/faults/fault-server.ts'
import type { FaultMode } from '../../test/faults/fault-mode.ts'
import { serveCalls } from './child.ts'

export interface FarmOptions {
  /** One server for each, on an address of its own. */
  readonly sites: readonly { readonly siteDir: string; readonly host: string }[]
  readonly artifacts: readonly string[]
  readonly bytesPerSecond: number
}

export interface SourceCount {
  readonly sentBytes: number
  readonly requests: readonly FaultRequest[]
}

let servers: readonly FaultServer[] = []

serveCalls({
  async start({ sites, artifacts, bytesPerSecond }: FarmOptions): Promise<readonly string[]> {
    const known = new Set(artifacts)
    servers = await Promise.all(
      sites.map((site) => startFaultServer({ ...site, isArtifact: (sha256) => known.has(sha256), bytesPerSecond })),
    )
    return servers.map((server) => server.url)
  },
  /** From now on; what was counted before is forgotten. */
  async arm(modes: readonly FaultMode[]): Promise<void> {
    for (const [at, server] of servers.entries()) {
      await server.set(modes[at] ?? 'none', 'everything')
      server.forget()
    }
  },
  counts: (): readonly SourceCount[] => servers.map(({ sentBytes, requests }) => ({ sentBytes, requests })),
})
