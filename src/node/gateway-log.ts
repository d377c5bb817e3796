/** Takes one event of a gateway, for its operator. Never an address of a client. */
export type GatewayLog = (event: GatewayEvent, facts: Readonly<Record<string, string | number>>) => void

/**
 * - `cache-write-failed`: a file could not be kept, and clients are served all the same. Said once, until a write succeeds.
 * - `cache-writes-again`: the first write that succeeds after that
 * - `origin-failed`: refused, cut, silent for 3 s, or 5xx; left alone for 10 s if there is another
 * - `request-failed`: a fault of the gateway itself; the client saw 502 or a cut answer
 */
export type GatewayEvent = 'cache-write-failed' | 'cache-writes-again' | 'origin-failed' | 'request-failed'

/** One JSON object per line on standard error, where service managers collect it. */
export const stderrLog: GatewayLog = (event, facts) => {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), event, ...facts })}\n`)
}
