import { DeliveryError, failureOf } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { parseSiteConfig } from '../core/manifest/parse-site-config.ts'
import type { SiteConfig } from '../core/manifest/site-config.ts'
import type { Clock } from '../core/ports.ts'
import type { Memory } from '../stores/volatile-index.ts'

/** With a copy at hand the portal's own origin gets this long to answer: in an outage it may be silent, not refused. */
const WITH_COPY_MS = 500
const WITHOUT_COPY_MS = 8000
const TICKET_MS = 3000

const CONFIG_KEY = 'site-config'
const TICKET_KEY = 'ticket'

export interface Site {
  readonly config: SiteConfig
  /** Membership of the site's mesh, kept from the last visit while the portal was up. */
  readonly ticket: string | undefined
}

/**
 * The site's configuration: from its origin, else the copy of the last visit.
 * @throws {DeliveryError} `config-unavailable` on a first visit without the origin, `config-invalid`, `policy-missing`
 */
export async function loadSite(
  options: { readonly configUrl: string; readonly memory: Memory; readonly clock: Clock },
  signal: AbortSignal,
): Promise<Site> {
  const { configUrl, memory } = options
  const kept = await keptBytes(memory, `${CONFIG_KEY}:${configUrl}`, signal)
  const fresh = await fetchBytes(
    configUrl,
    { limitBytes: LIMITS.siteConfigBytes, ms: kept === undefined ? WITHOUT_COPY_MS : WITH_COPY_MS },
    signal,
  )
  const bytes = fresh ?? kept
  if (bytes === undefined)
    throw new DeliveryError({
      code: 'config-unavailable',
      detail: 'the origin of this page does not answer, and there is no copy of an earlier visit',
    })
  const config = parseOrKept({ fresh, kept, configUrl })
  if (fresh !== undefined) await memory.records.put(`${CONFIG_KEY}:${configUrl}`, fresh, signal)
  return { config, ticket: config.mesh.mode === 'off' ? undefined : await loadTicket(config, options, signal) }
}

/** A broken file from a half-dead origin must not take the page down while a good copy is at hand. */
function parseOrKept({
  fresh,
  kept,
  configUrl,
}: {
  readonly fresh: Uint8Array | undefined
  readonly kept: Uint8Array | undefined
  readonly configUrl: string
}): SiteConfig {
  try {
    return parseSiteConfig(fresh ?? new Uint8Array(), configUrl)
  } catch (error) {
    if (kept === undefined || failureOf(error) === undefined) throw error
    return parseSiteConfig(kept, configUrl)
  }
}

async function loadTicket(config: SiteConfig, { memory }: { readonly memory: Memory }, signal: AbortSignal): Promise<string | undefined> {
  const url = config.mesh.ticketUrl
  if (url === undefined) return undefined
  const kept = await memory.records.get(`${TICKET_KEY}:${url}`, signal)
  const copy = typeof kept === 'string' ? kept : undefined
  const bytes = await fetchBytes(url, { limitBytes: LIMITS.signalBytes, ms: copy === undefined ? TICKET_MS : WITH_COPY_MS }, signal)
  if (bytes === undefined) return copy
  const text = new TextDecoder().decode(bytes).trim()
  await memory.records.put(`${TICKET_KEY}:${url}`, text, signal)
  return text
}

async function keptBytes(memory: Memory, key: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const kept = await memory.records.get(key, signal)
  return kept instanceof Uint8Array ? kept : undefined
}

/** The body, or undefined when the origin does not give it in time: what to do about it is the caller's business. */
async function fetchBytes(
  url: string,
  limit: { readonly limitBytes: number; readonly ms: number },
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    const response = await fetch(url, {
      cache: 'no-cache',
      credentials: 'same-origin',
      signal: AbortSignal.any([signal, AbortSignal.timeout(limit.ms)]),
    })
    if (!response.ok || response.headers.get('content-type')?.startsWith('text/html') === true) return undefined
    const bytes = new Uint8Array(await response.arrayBuffer())
    return bytes.length <= limit.limitBytes ? bytes : undefined
  } catch {
    // Unreachable, silent or cut: all the same to us. A cancelled caller is told so.
    signal.throwIfAborted()
    return undefined
  }
}
