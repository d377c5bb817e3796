import { DeliveryError } from '../../core/errors.ts'
import type { ByteRange } from '../../core/model/artifact.ts'
import type { AddressedRequestInit, HttpSourceOptions } from './http-options.ts'

/** Sends one GET. Resolves with whatever was answered, as long as it came from an allowed host. */
export type Requester = (path: string, range: ByteRange | undefined, signal: AbortSignal) => Promise<Response>

export function createRequester(options: HttpSourceOptions): Requester {
  const { id, baseUrl, clock, fetch, rewriteUrl, redirectHosts = [] } = options
  return async (path, range, signal) => {
    signal.throwIfAborted()
    const startedMs = clock.monotonicMs()
    const plain = new URL(path, baseUrl).href
    const url = rewriteUrl === undefined ? plain : await rewriteUrl(plain)
    let response: Response
    try {
      response = await fetch(url, requestInit(options, range, signal))
    } catch (cause) {
      signal.throwIfAborted()
      const elapsedMs = clock.monotonicMs() - startedMs
      throw new DeliveryError({ code: 'source-unreachable', source: id, phase: 'headers', elapsedMs }, { cause })
    }
    const refusal = redirectRefusal(response, new Set([new URL(url).host, ...redirectHosts]))
    if (refusal === undefined) return response
    await discard(response)
    throw new DeliveryError({ code: 'source-protocol', source: id, detail: refusal })
  }
}

/** Lets go of a body that nobody will read, so that its connection is freed. */
export async function discard(response: Response): Promise<void> {
  // A body that is broken already cannot be cancelled, and need not be.
  await response.body?.cancel().catch(() => undefined)
}

function requestInit(options: HttpSourceOptions, range: ByteRange | undefined, signal: AbortSignal): AddressedRequestInit {
  const init: AddressedRequestInit = {
    signal,
    credentials: 'omit',
    referrerPolicy: 'no-referrer',
    cache: 'no-store',
    // Following first and looking afterwards would contact a host that nobody named.
    redirect: options.redirectHosts === undefined || options.redirectHosts.length === 0 ? 'manual' : 'follow',
  }
  // HTTP counts inclusively (RFC 9110 section 14.1.2). A single plain range is safelisted by CORS: no preflight.
  if (range !== undefined) init.headers = { Range: `bytes=${range.start}-${range.end - 1}` }
  if (options.addressSpace !== undefined) init.targetAddressSpace = options.addressSpace
  return init
}

function redirectRefusal(response: Response, hosts: ReadonlySet<string>): string | undefined {
  if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) return 'answered with a redirect'
  // Empty where a script made the response.
  if (response.url === '') return undefined
  const { host } = new URL(response.url)
  return hosts.has(host) ? undefined : `redirected to ${host}`
}
