import { collectBytes } from '../core/collect-bytes.ts'
import { DeliveryError } from '../core/errors.ts'

/** The portal's own origin gets this long for a small file. */
const FETCH_MS = 8000

/**
 * A small file of the portal's own origin. Redirects are refused: they would lead to a host that nobody named.
 * @throws {DeliveryError} `config-unavailable`, saying what is known
 */
export async function fetchDocument(url: string, limitBytes: number): Promise<Uint8Array> {
  const late = new AbortController()
  // Held here, not composed: a timeout that only `AbortSignal.any` refers to may be collected before it fires (Node 20).
  const timer = setTimeout(() => late.abort(), FETCH_MS)
  try {
    const response = await fetch(url, { cache: 'no-cache', credentials: 'same-origin', redirect: 'error', signal: late.signal })
    if (!response.ok) throw unavailable(url, `answered ${response.status}`)
    if (response.headers.get('content-type')?.startsWith('text/html') === true) throw unavailable(url, 'answered with a page')
    return await collectBytes(response.body ?? [], limitBytes, () => unavailable(url, `is longer than ${limitBytes} bytes`))
  } catch (error) {
    if (error instanceof DeliveryError) throw error
    throw unavailable(url, late.signal.aborted ? `did not answer within ${FETCH_MS / 1000} s` : 'cannot be reached', error)
  } finally {
    clearTimeout(timer)
  }
}

function unavailable(url: string, what: string, cause?: unknown): DeliveryError {
  const { pathname } = new URL(url)
  return new DeliveryError(
    { code: 'config-unavailable', detail: `${pathname} ${what}, and there is no copy of an earlier visit` },
    { cause },
  )
}
