import { isVirtualUrl, parseVirtualUrl } from '../core/respond/virtual-url.ts'
import type { ArtifactRequest } from '../core/wire/delivery-event.ts'
import type { Aliases } from './aliases.ts'

/** What to do with a request. `isDecided` is false for a plain URL while the list of aliases is read. */
export type Routing =
  | { readonly kind: 'virtual'; readonly request: ArtifactRequest; readonly isNavigation: boolean }
  | { readonly kind: 'alias'; readonly url: string; readonly isDecided: boolean }
  | { readonly kind: 'not-ours' }

const NOT_OURS: Routing = { kind: 'not-ours' }

/**
 * Which requests the worker answers: virtual URLs in its scope, and `fetch()` of an alias. Everything else goes by untouched, without
 * `respondWith`: passing a request through here would take it the right to reach a LAN gateway (Local Network Access, measured).
 */
export function routeRequest(request: Request, scope: string, aliases: Aliases): Routing {
  if (request.method !== 'GET' && request.method !== 'HEAD') return NOT_OURS
  if (isVirtualUrl(request.url, scope)) {
    const virtual = parseVirtualUrl(request.url, scope)
    if (virtual === undefined) return NOT_OURS
    const wanted: ArtifactRequest =
      virtual.kind === 'digest'
        ? { kind: 'digest', sha256: virtual.sha256 }
        : { kind: 'name', name: virtual.name, version: virtual.version, platform: undefined, channel: undefined }
    return { kind: 'virtual', request: wanted, isNavigation: request.mode === 'navigate' }
  }
  if (request.destination !== '' || request.mode === 'navigate' || isPublished(request.url)) return NOT_OURS
  // Who signs a catalogue is not who runs the portal: its own answers are never replaced.
  if (new URL(request.url).origin === new URL(scope).origin) return NOT_OURS
  const known = aliases.has(request.url)
  if (known === false) return NOT_OURS
  return { kind: 'alias', url: request.url, isDecided: known === true }
}

/** The SDK's own requests for the published layout. */
function isPublished(url: string): boolean {
  const { pathname } = new URL(url)
  return /\/(?:by-hash\/sha256\/[0-9a-f]{64}|catalogue\.json|trust\/\d+\.json|sealift\.json)$/.test(pathname)
}
