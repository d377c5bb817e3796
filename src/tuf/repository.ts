import { collectBytes } from '../core/collect-bytes.ts'
import { DeliveryError } from '../core/errors.ts'
import { refused, type TufRole } from './refusal.ts'
import { TUF_LIMITS } from './tuf-limits.ts'

export interface Wanted {
  readonly role: TufRole
  readonly url: string
  readonly limitBytes: number
}

/**
 * One file of the repository, whole, in bounded memory and time. Nothing of who asks goes along, and no redirect leads elsewhere.
 * Undefined where the repository says that there is none.
 * @throws {DeliveryError} `trust-refresh-failed`; `signal.reason` itself
 */
export async function fetchFile(wanted: Wanted, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const { role, url, limitBytes } = wanted
  signal.throwIfAborted()
  const stop = new AbortController()
  const onAbort = (): void => stop.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => stop.abort(), TUF_LIMITS.documentMs)
  try {
    const response = await fetch(url, {
      cache: 'no-store',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      redirect: 'error',
      signal: stop.signal,
    })
    // Stores of files behind a CDN say 403 for what they do not have.
    if (response.status === 404 || response.status === 403) return undefined
    if (!response.ok) throw refused(role, 'unreachable', `${url} answered ${response.status}`)
    return await collectBytes(response.body ?? [], limitBytes, () => refused(role, 'oversized', `more than ${limitBytes} bytes`))
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof DeliveryError) throw error
    throw refused(role, 'unreachable', `${url} ${stop.signal.aborted ? 'took too long' : 'cannot be reached'}`, error)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
    // Whatever is still on its way is not wanted any more.
    stop.abort()
  }
}

/** As `fetchFile`, for a file that has to be there. */
export async function fetchNamed(wanted: Wanted, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = await fetchFile(wanted, signal)
  if (bytes === undefined) throw refused(wanted.role, 'missing', `${wanted.url} is not there`)
  return bytes
}
