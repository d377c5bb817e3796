import { registerRoute } from 'workbox-routing'
import type { Failure } from '../core/errors.ts'
import type { Sha256 } from '../core/model/ids.ts'
import type { ArtifactRequest } from '../core/wire/delivery-event.ts'
import { createStandalone, type Standalone } from '../engine/standalone.ts'
import { createAliases, type Aliases } from './aliases.ts'
import { askPage, toDeliveryError } from './ask-page.ts'
import { interstitialPage } from './interstitial.ts'
import { attachLifecycle } from './lifecycle.ts'
import { respondWithFailure, respondWithFile } from './respond.ts'
import { routeRequest, type Routing } from './routes.ts'
import type { ShellEntry, WorkerScope } from './scope.ts'
import { attachShell } from './shell.ts'

export type { ShellEntry } from './scope.ts'

export interface AttachOptions {
  /** The site's configuration. Default: `sealift.json` beside the worker. */
  readonly configUrl?: string
  /** The built page script. Default: `page.js` beside the worker. */
  readonly pageScriptUrl?: string
  /** Files that are kept, so that the portal opens while its origin is down. Default: none. */
  readonly shell?: readonly ShellEntry[]
}

/**
 * Puts Sealift into a service worker: call it once, while the script is first run.
 * Answers virtual URLs and aliases with verified artifacts, and nothing else but the shell that is named.
 */
export function attach(scope: ServiceWorkerGlobalScope, options: AttachOptions = {}): void {
  const base = scope.location.href
  const configUrl = new URL(options.configUrl ?? 'sealift.json', base).href
  const pageScriptUrl = new URL(options.pageScriptUrl ?? 'page.js', base).href
  const alone = createStandalone({ configUrl, isSecurePage: scope.location.protocol === 'https:' })
  const aliases = createAliases(alone)
  void aliases.load()
  attachLifecycle(scope, aliases)
  const room: Room = { scope, alone, aliases, pageScriptUrl }
  const route = (request: Request): Routing => routeRequest(request, scope.registration.scope, aliases)
  for (const method of ['GET', 'HEAD'] as const) {
    registerRoute(
      ({ request }) => route(request).kind !== 'not-ours',
      ({ event, request }) => handle(room, { request, routing: route(request), clientId: clientOf(event) }),
      method,
    )
  }
  attachShell(options.shell ?? [])
}

interface Room {
  readonly scope: WorkerScope
  readonly alone: Standalone
  readonly aliases: Aliases
  readonly pageScriptUrl: string
}

interface Asked {
  readonly request: Request
  readonly routing: Routing
  readonly clientId: string
}

function clientOf(event: ExtendableEvent): string {
  return event instanceof FetchEvent ? event.clientId || event.resultingClientId : ''
}

async function handle(room: Room, { request, routing, clientId }: Asked): Promise<Response> {
  switch (routing.kind) {
    case 'not-ours':
      return await fetch(request)
    case 'virtual':
      if (routing.isNavigation) return interstitialPage(room.pageScriptUrl)
      return await answer(room, { request, wanted: routing.request, clientId })
    case 'alias':
      if (!routing.isDecided) await room.aliases.load()
      if (room.aliases.has(routing.url) !== true) return await fetch(request)
      return await answerAlias(room, { request, url: routing.url, clientId })
  }
}

async function answerAlone(
  room: Room,
  { request, wanted }: { readonly request: Request; readonly wanted: ArtifactRequest },
): Promise<Response> {
  const sha256 = await room.alone.deliver(wanted, request.signal)
  const file = await room.alone.find(sha256, AbortSignal.timeout(LOOKUP_MS))
  return file === undefined ? respondWithFailure({ code: 'store-tampered', sha256, piece: undefined }) : respondWithFile(file, request)
}

/** Some other script of this origin answered in the page's place. */
function spoofed(sha256: Sha256): Failure {
  return { code: 'store-tampered', sha256, piece: undefined }
}

/** How long a lookup in the store may take. */
const LOOKUP_MS = 10_000

/** An alias of a catalogue that this page does not know, or no longer, is a plain URL like any other. */
async function answerAlias(
  room: Room,
  { request, url, clientId }: { readonly request: Request; readonly url: string; readonly clientId: string },
): Promise<Response> {
  const response = await answer(room, { request, wanted: { kind: 'alias', url }, clientId })
  return response.headers.get('sealift-code') === 'artifact-unknown' ? await fetch(request) : response
}

async function answer(
  room: Room,
  asked: { readonly request: Request; readonly wanted: ArtifactRequest; readonly clientId: string },
): Promise<Response> {
  const { request, wanted, clientId } = asked
  try {
    const page = await askPage(room.scope, wanted, clientId)
    if (page.kind === 'failed') return respondWithFailure(page.failure)
    if (page.kind === 'nobody') return await answerAlone(room, { request, wanted })
    if (wanted.kind === 'digest' && page.file.sha256 !== wanted.sha256) return respondWithFailure(spoofed(wanted.sha256))
    return respondWithFile(page.file, request)
  } catch (error) {
    return respondWithFailure(toDeliveryError(error).failure)
  }
}
