/** What a server's process has used, as it knows itself. */
export interface Usage {
  readonly rssBytes: number
  /** Of all its threads since it began: whoever else is busy does not count. */
  readonly cpuMs: number
}

export function usageOfThis(): Usage {
  const { user, system } = process.cpuUsage()
  return { rssBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1000 }
}
