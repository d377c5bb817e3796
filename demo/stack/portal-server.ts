import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, normalize, sep } from 'node:path'
import { listShell, SHELL_SCRIPTS, withShell } from 'sealift/node'
import { startSwitchableServer, type SwitchableServer } from './switchable-server.ts'

/** What a portal serves beside its static files. */
export interface PortalOptions {
  readonly port: number
  /** Folder of the built page. */
  readonly pages: string
  /** Folder of the built scripts of Sealift. */
  readonly scripts: string
  /** `/sealift.json` and `/demo.json`, as they are now. */
  readonly documents: () => Readonly<Record<string, string>>
  /** A membership ticket for pages of this origin. */
  readonly mintTicket: (origin: string) => string
  readonly onRequest?: (path: string, status: number) => void
  /** What stands in the place of a file for the moment, by path. */
  readonly replaced?: ReadonlyMap<string, PortalFile>
}

/** A file of the portal as somebody wants it served for a while, unsound ones included. */
export interface PortalFile {
  readonly type: 'text/html' | 'text/javascript'
  readonly body: string
  readonly status?: number
  /** Ends the connection after so many bytes, without ever having said how many there are. */
  readonly cutAfterBytes?: number
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.map': 'application/json',
}

/** Reading every file of the page takes no longer. */
const LISTING_MS = 10_000

/** Nothing but this machine may be contacted, and nothing but this site's own code may run. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "connect-src 'self' http://127.0.0.1:* ws://127.0.0.1:* http://localhost:* ws://localhost:*",
  "img-src 'self' data:",
  "style-src 'self' 'unsafe-inline'",
  "frame-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
].join('; ')

/** A portal's own origin. Below `/_sealift/` it has nothing: whoever gets past the service worker finds 404. */
export async function startPortalServer(options: PortalOptions): Promise<SwitchableServer> {
  const reply = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = new URL(request.url ?? '/', 'http://portal.invalid').pathname
    const replacement = options.replaced?.get(path)
    if (replacement !== undefined) {
      options.onRequest?.(path, replacement.status ?? 200)
      sendReplacement(replacement, response)
      return
    }
    const answer = path === '/sw.js' ? await serviceWorker(options) : await answerTo(path, request, options)
    options.onRequest?.(path, answer.status)
    response
      .writeHead(answer.status, {
        'content-security-policy': POLICY,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'content-type': answer.type,
        'cache-control': answer.cache,
      })
      .end(request.method === 'HEAD' ? undefined : answer.body)
  }
  return startSwitchableServer((request, response) => {
    reply(request, response).catch(() => response.destroy()) // an unreadable file: the browser sees a cut connection
  }, options.port)
}

function sendReplacement({ type, body, status = 200, cutAfterBytes }: PortalFile, response: ServerResponse): void {
  const headers = { 'content-security-policy': POLICY, 'content-type': type, 'cache-control': 'no-cache' }
  if (cutAfterBytes === undefined) {
    response.writeHead(status, headers).end(body)
    return
  }
  // The end of the connection is the end of the body: nothing tells a client that some is missing.
  response.shouldKeepAlive = false
  response.useChunkedEncodingByDefault = false
  response.writeHead(status, { ...headers, connection: 'close' }).end(body.slice(0, cutAfterBytes))
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly cache: string
  readonly body: string | Uint8Array
}

async function answerTo(path: string, request: IncomingMessage, options: PortalOptions): Promise<Answer> {
  if (path.startsWith('/_sealift/')) return missing
  const document = options.documents()[path]
  if (document !== undefined) return { status: 200, type: 'application/json', cache: 'no-cache', body: document }
  if (path === '/ticket') {
    const origin = `http://${request.headers.host ?? ''}`
    return { status: 200, type: 'text/plain; charset=utf-8', cache: 'no-store', body: options.mintTicket(origin) }
  }
  const file = path.endsWith('/') ? `${path}index.html` : path
  for (const root of [options.pages, options.scripts]) {
    const body = await readBelow(root, file)
    if (body === undefined) continue
    // Only what carries a hash in its name never changes; the service worker above all has to be asked for each time.
    const cache = file.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'
    return { status: 200, type: TYPES[extname(file)] ?? 'application/octet-stream', cache, body }
  }
  return missing
}

async function serviceWorker(options: Pick<PortalOptions, 'pages' | 'scripts'>): Promise<Answer> {
  return { status: 200, type: 'text/javascript; charset=utf-8', cache: 'no-cache', body: await serviceWorkerScript(options) }
}

/**
 * The service worker's script with the list of files that it keeps: the pages, and the scripts of Sealift, without which they could fetch nothing
 * while this origin is down.
 */
export async function serviceWorkerScript(options: Pick<PortalOptions, 'pages' | 'scripts'>): Promise<string> {
  const script = await readFile(join(options.scripts, 'sw.js'), 'utf8')
  const signal = AbortSignal.timeout(LISTING_MS)
  const pages = await listShell(options.pages, ['**'], signal)
  const scripts = await listShell(options.scripts, SHELL_SCRIPTS, signal)
  return withShell(script, [...pages, ...scripts])
}

const missing: Answer = { status: 404, type: 'text/plain; charset=utf-8', cache: 'no-store', body: 'not found\n' }

async function readBelow(root: string, path: string): Promise<Uint8Array | undefined> {
  const file = normalize(join(root, decodeURIComponent(path)))
  if (!file.startsWith(root + sep) || file.includes('\0')) return undefined
  try {
    return await readFile(file)
  } catch {
    return undefined // absent: the next folder may have it
  }
}
