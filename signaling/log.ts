/** Takes one event of the server. Never an address, a ticket or a session description. */
export type Log = (event: string, facts: Readonly<Record<string, string | number>>) => void

/** One JSON object per line on standard error, where service managers collect it. */
export function createStderrLog(nowMs: () => number): Log {
  return (event, facts) => {
    process.stderr.write(`${JSON.stringify({ time: new Date(nowMs()).toISOString(), event, ...facts })}\n`)
  }
}
