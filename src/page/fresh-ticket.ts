import { LIMITS } from '../core/limits.ts'
import { parseTicket } from '../core/wire/ticket.ts'

/** The portal's own origin gets this long: nothing waits for it but the next visit to a signaling server. */
const FETCH_MS = 8000

/** Another ticket from the portal; undefined when it gives none. Never rejects: in an outage, the portal may be a part of it. */
export async function fetchFreshTicket(url: string | undefined): Promise<string | undefined> {
  if (url === undefined) return undefined
  try {
    const signal = AbortSignal.timeout(FETCH_MS)
    const response = await fetch(url, { cache: 'no-store', credentials: 'same-origin', redirect: 'error', signal })
    const text = response.ok ? (await response.text()).trim() : ''
    parseTicket(text.slice(0, LIMITS.ticketBytes))
    return text
  } catch {
    // No answer, or no ticket: sharing with those who are met already goes on without.
    return undefined
  }
}
