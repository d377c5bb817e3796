import { createHash } from 'node:crypto'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, vi } from 'vitest'
import { parseCatalogue } from '../../../src/core/manifest/parse-catalogue.ts'
import { parseCatalogueEnvelope } from '../../../src/core/manifest/parse-envelope.ts'
import { parseManifest } from '../../../src/core/manifest/parse-manifest.ts'
import type { BlobRef } from '../../../src/core/model/artifact.ts'
import { trustOfPolicy } from '../../../src/core/verify/site-trust.ts'
import type { PublishSigner } from '../../../src/node/publish/publish-signer.ts'
import { publish } from '../../../src/node/publish/publish.ts'
import type { MirrorOptions } from '../../../src/node/push/push.ts'
import { systemClock } from '../../../src/node/system-clock.ts'
import { makeFolder, makeKeySigner, never } from '../publish-fixture.ts'
import { temporaryFolder } from '../temporary-folder.ts'

/** A published folder whose next version can be published. */
export interface Site {
  readonly site: string
  readonly signer: PublishSigner
  /** Publishes one more file. */
  publishNext(files: Readonly<Record<string, string | Uint8Array>>): Promise<number>
}

export async function makeSite(files: Readonly<Record<string, string | Uint8Array>> = { 'agent-1.0.tgz': 'agent' }): Promise<Site> {
  const signer = await makeKeySigner()
  const site = join(await temporaryFolder(), 'site')
  const publishNext = async (more: Readonly<Record<string, string | Uint8Array>>): Promise<number> => {
    const dir = await makeFolder(more)
    return (await publish({ dir, site, repository: 'acme', signer, pieceLengthBytes: 64 * 1024, byName: true }, never)).catalogue.version
  }
  await publishNext(files)
  return { site, signer, publishNext }
}

/** No pause between attempts: nothing here depends on how long it is. */
export function pushOptions({ signer }: Site): Omit<MirrorOptions, 'targets'> {
  return { trust: trustOfPolicy(signer.policy), clock: { ...systemClock, sleep: sleepUnlessPause }, random: () => 0 }
}

/** Deadlines are as long as they say; a pause that was drawn as nothing takes nothing. */
const sleepUnlessPause: typeof systemClock.sleep = (ms, signal) => (ms === 0 ? Promise.resolve() : systemClock.sleep(ms, signal))

type Read = (path: string) => Promise<Uint8Array | undefined>

/**
 * What a mirror names, once every byte of it was looked at by other means than those that put it there.
 * @returns the catalogue's version; undefined when it names nothing
 */
export async function soundVersion(read: Read): Promise<number | undefined> {
  const file = await read('catalogue.json')
  if (file === undefined) return undefined
  const catalogue = parseCatalogue(parseCatalogueEnvelope(file).payload)
  const blob = async ({ sha256, sizeBytes }: BlobRef): Promise<Uint8Array> => {
    const bytes = await read(`by-hash/sha256/${sha256}`)
    if (bytes === undefined) throw new Error(`names ${sha256}, which is not there`)
    const actual = createHash('sha256').update(bytes).digest('hex')
    if (bytes.length !== sizeBytes || actual !== sha256) throw new Error(`names ${sha256}, and has ${actual} of ${bytes.length} bytes`)
    return bytes
  }
  for (const entry of catalogue.artifacts) {
    const manifest = parseManifest(await blob(entry.manifest))
    await blob(entry.artifact)
    if (manifest.pieces.kind === 'listed') await blob(manifest.pieces.list)
    for (const bundle of manifest.bundles) await blob(bundle)
  }
  return catalogue.version
}

export function readerIn(dir: string): Read {
  return (path) => readFile(join(dir, path)).catch(() => undefined)
}

export interface Request {
  readonly method: string
  readonly path: string
  readonly body: Buffer
  readonly headers: IncomingMessage['headers']
}

/** True when it has answered, or never will. */
export type Fault = (request: Request, response: ServerResponse, files: Map<string, Buffer>) => boolean

export interface MirrorServer {
  readonly url: string
  readonly files: Map<string, Buffer>
  readonly requests: Request[]
  fault: Fault
  readonly read: Read
  puts(): readonly string[]
}

/** A server that stores what is PUT, below one folder of it. */
export async function startMirror(prefix = '/', fault: Fault = () => false): Promise<MirrorServer> {
  const files = new Map<string, Buffer>()
  const requests: Request[] = []
  const mirror: MirrorServer = {
    url: '',
    files,
    requests,
    fault,
    read: (path) => Promise.resolve(files.get(path)),
    puts: () => requests.filter(({ method }) => method === 'PUT').map(({ path }) => path),
  }
  const server = createServer((incoming, response) => {
    void bodyOf(incoming).then((body) => {
      if (body === undefined) return
      const path = decodeURIComponent(new URL(incoming.url ?? '', 'http://a').pathname).slice(prefix.length)
      const request = { method: incoming.method ?? '', path, body, headers: incoming.headers }
      requests.push(request)
      if (!mirror.fault(request, response, files)) serve(request, response, files)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return Object.assign(mirror, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}` })
}

/** Undefined when it broke off. */
async function bodyOf(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  } catch {
    return undefined // the client is gone
  }
}

export function serve({ method, path, body }: Request, response: ServerResponse, files: Map<string, Buffer>): void {
  if (method === 'PUT') {
    files.set(path, body)
    response.writeHead(201).end()
    return
  }
  const found = files.get(path)
  if (found === undefined) response.writeHead(404).end()
  else response.writeHead(200, { 'content-length': found.length }).end(method === 'HEAD' ? undefined : found)
}

/**
 * An `ssh` whose other side is this machine. It writes down what it was called with, and when the other side has ended.
 * @param before what it does first, with the script for the other side in `$*`
 */
export async function makeSsh(
  before = '',
): Promise<{ readonly program: string; calls(): Promise<readonly string[]>; settled(): Promise<void> }> {
  const dir = await temporaryFolder()
  const program = join(dir, 'ssh')
  const [began, ended] = [join(dir, 'began'), join(dir, 'ended')]
  const script = [
    '#!/bin/sh',
    // It has no connection to share.
    'case " $* " in *" -N -- "*) exit 1;; esac',
    `echo "$*" | head -n 1 >> ${began}`,
    before,
    'while [ "$1" != -- ]; do shift; done',
    'sh -c "$3"',
    `code=$?; echo >> ${ended}; exit $code`,
  ]
  await writeFile(program, `${script.join('\n')}\n`)
  await chmod(program, 0o755)
  const linesOf = async (path: string) => (await readFile(path, 'utf8').catch(() => '')).split('\n').slice(0, -1)
  return {
    program,
    calls: () => linesOf(began),
    async settled() {
      await vi.waitFor(async () => expect(await linesOf(ended)).toHaveLength((await linesOf(began)).length), 10_000)
    },
  }
}
