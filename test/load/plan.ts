import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'

/** What one run of the load generator does. Plain data: it is sent to the processes that do it. */
export interface LoadPlan {
  /** `ws:` on loopback. */
  readonly url: string
  readonly dialect: 'sealift' | 'tracker'
  /** The `Origin` that sockets show. */
  readonly origin: string
  readonly roomSize: number
  /** Length of an offer and of an answer. */
  readonly sdpBytes: number
  /** Mints a ticket for each socket. Undefined where admission is open. */
  readonly key: { readonly kid: string; readonly secret: Uint8Array } | undefined
}

/** Descriptors that a process needs for itself. */
const OWN_DESCRIPTORS = 200

/**
 * This is for measuring one's own server, not for troubling somebody else's.
 * @throws {Error} when the URL leads away from this machine, or is none of a WebSocket in the clear
 */
export function requireLoopback(url: string): string {
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: '', hostname: url }
  const isHere = hostname === 'localhost' || hostname === '[::1]' || (isIPv4(hostname) && hostname.startsWith('127.'))
  if (protocol !== 'ws:' || !isHere) throw new Error(`The load goes to this machine alone: expected ws://127.0.0.1:PORT/, got ${url}`)
  return url
}

/** Sockets that one process may hold open here; undefined where the system does not say. Node raises its own limit to this. */
export function socketsPerProcess(): number | undefined {
  try {
    const limit = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return limit === undefined ? undefined : Math.max(1, Number(limit) - OWN_DESCRIPTORS)
  } catch {
    // Not Linux.
    return undefined
  }
}

/**
 * As many as were asked for, or as this machine's limit allows, and in that case what to tell the reader.
 * @param most what one process may open
 */
export function withinLimit(
  sockets: number,
  most = socketsPerProcess() ?? sockets,
): { readonly sockets: number; readonly remark: string | undefined } {
  if (sockets <= most) return { sockets, remark: undefined }
  return { sockets: most, remark: `${sockets} sockets are more than one process may open here (ulimit -Hn): ${most} instead` }
}
