import type { IncomingMessage, ServerResponse } from 'node:http'
import { isPart, isPartState, type Part, type PartState } from './parts.ts'
import { startSwitchableServer, type SwitchableServer } from './switchable-server.ts'

export interface ControlOptions {
  /** Pages of these origins may use it, and nobody else. */
  readonly origins: () => readonly string[]
  readonly state: () => Readonly<Record<Part, PartState>>
  readonly set: (part: Part, state: PartState) => Promise<void>
}

const BODY_BYTES = 1024

/** What the switches of the page talk to: a server of its own, so that it answers when the portal is down. */
export function startControlServer(options: ControlOptions): Promise<SwitchableServer> {
  return startSwitchableServer((request, response) => {
    answer(request, response, options).catch(() => {
      if (!response.headersSent) response.writeHead(500)
      response.end() // the part could not be switched: the page shows that its state did not change
    })
  }, 0)
}

async function answer(request: IncomingMessage, response: ServerResponse, options: ControlOptions): Promise<void> {
  const { origin } = request.headers
  if (origin === undefined || !options.origins().includes(origin)) {
    response.writeHead(403).end()
    return
  }
  const headers = {
    'access-control-allow-origin': origin,
    'access-control-allow-headers': 'content-type',
    'access-control-allow-methods': 'GET, POST',
    vary: 'Origin',
    'cache-control': 'no-store',
  }
  const path = `${request.method ?? ''} ${request.url ?? ''}`
  if (request.method === 'OPTIONS') response.writeHead(204, headers).end()
  else if (path === 'GET /state') sendState(response, headers, options)
  else if (path === 'POST /switch') {
    const wanted = readSwitch(await readBody(request))
    if (wanted === undefined) response.writeHead(400, headers).end()
    else {
      await options.set(wanted.part, wanted.mode)
      sendState(response, headers, options)
    }
  } else response.writeHead(404, headers).end()
}

function sendState(response: ServerResponse, headers: Readonly<Record<string, string>>, options: ControlOptions): void {
  response.writeHead(200, { ...headers, 'content-type': 'application/json' }).end(JSON.stringify({ parts: options.state() }))
}

function readSwitch(text: string): { readonly part: Part; readonly mode: PartState } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('part' in value) || !('mode' in value)) return undefined
    return isPart(value.part) && isPartState(value.mode) ? { part: value.part, mode: value.mode } : undefined
  } catch {
    return undefined // not JSON: answered 400
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) {
    text += String(chunk)
    if (text.length > BODY_BYTES) throw new RangeError(`expected at most ${BODY_BYTES} bytes`)
  }
  return text
}
