import { DeliveryError, failureOf } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { parseSiteConfig } from '../core/manifest/parse-site-config.ts'
import type { SiteConfig } from '../core/manifest/site-config.ts'
import type { Clock } from '../core/ports.ts'
import { parseTicket } from '../core/wire/ticket.ts'
import type { Memory } from '../stores/volatile-index.ts'
import { fetchDocument } from './site-document.ts'

/** With a copy at hand the portal's own origin gets this long before the copy is used: in an outage it may be silent, not refused. */
const WITH_COPY_MS = 500

const CONFIG_KEY = 'site-config'
const TICKET_KEY = 'ticket'

export interface SiteOptions {
  readonly configUrl: string
  readonly memory: Memory
  readonly clock: Clock
}

/**
 * The site's configuration: from its origin, else the copy of the last visit. An answer that comes after the copy was taken is kept for the next
 * visit, so that a slow line does not hold on to signers that were taken away.
 *
 * @throws {DeliveryError} `config-unavailable` on a first visit without the origin, `config-invalid`, `policy-missing`
 */
export async function loadSite(options: SiteOptions, signal: AbortSignal): Promise<SiteConfig> {
  const { configUrl } = options
  return await load(
    options,
    {
      key: `${CONFIG_KEY}:${configUrl}`,
      url: configUrl,
      limitBytes: LIMITS.siteConfigBytes,
      parse: (bytes) => parseSiteConfig(bytes, configUrl),
    },
    signal,
  )
}

/**
 * Membership of the site's mesh: from where the configuration says, else the copy of the last visit. Undefined when there is none: without a
 * ticket there is no mesh, but there is a download, and nothing here may fail it.
 */
export async function loadTicket(options: SiteOptions, { mesh }: SiteConfig, signal: AbortSignal): Promise<string | undefined> {
  const { mode, ticketUrl: url } = mesh
  if (mode === 'off' || url === undefined) return undefined
  try {
    return await load(options, { key: `${TICKET_KEY}:${url}`, url, limitBytes: LIMITS.signalBytes, parse: readTicket }, signal)
  } catch (error) {
    signal.throwIfAborted()
    if (failureOf(error) === undefined) throw error
    return undefined
  }
}

function readTicket(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes).trim()
  parseTicket(text)
  return text
}

interface SiteFile<T> {
  readonly key: string
  readonly url: string
  readonly limitBytes: number
  /** @throws {DeliveryError} when it is not what it should be: then it replaces nothing */
  readonly parse: (bytes: Uint8Array) => T
}

async function load<T>(options: SiteOptions, file: SiteFile<T>, signal: AbortSignal): Promise<T> {
  const { memory, clock } = options
  const copy = await readCopy(memory, file, signal)
  const fetching = fetchAndKeep(memory, file)
  if (copy === undefined) return await fetching
  // Looked at below, or never again: that it fails while the copy serves is no news.
  fetching.catch(() => undefined)
  const patience = new AbortController()
  try {
    return await Promise.race([
      fetching.catch(() => copy),
      clock.sleep(WITH_COPY_MS, AbortSignal.any([signal, patience.signal])).then(() => copy),
    ])
  } finally {
    patience.abort()
  }
}

/** Parsed before it is kept: half an answer of a dying origin must not take the place of a good copy. */
async function fetchAndKeep<T>(memory: Memory, file: SiteFile<T>): Promise<T> {
  const bytes = await fetchDocument(file.url, file.limitBytes)
  const value = file.parse(bytes)
  await memory.records.put(file.key, bytes, KEEPING)
  return value
}

/** What is kept is kept for later visits; the call that happened to fetch it has no say in it. */
const KEEPING = new AbortController().signal

async function readCopy<T>(memory: Memory, file: SiteFile<T>, signal: AbortSignal): Promise<T | undefined> {
  const kept = await memory.records.get(file.key, signal)
  if (!(kept instanceof Uint8Array)) return undefined
  try {
    return file.parse(kept)
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error
    return undefined
  }
}
