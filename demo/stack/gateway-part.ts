import { copyFile, link, mkdir, mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DeliveryError, startCachingGateway, startNginxGateway, type RunningGateway } from 'sealift/node'
import type { ServedRequest } from './cdn-origin.ts'
import type { PartMode, PartState } from './parts.ts'
import { LOOPBACK, findFreePort } from './switchable-server.ts'

/** The LAN gateway as a part that can be stopped and started: nginx where it is installed, else our own. */
export interface GatewayPart {
  /** The same after every start; ends in `/`. */
  readonly url: string
  readonly kind: 'nginx' | 'built-in'
  /** For the console: which one runs, and what to do for the other. */
  readonly note: string
  readonly state: PartState
  set(mode: PartMode): Promise<void>
  /** Puts another published layout into it. */
  serve(siteDir: string): Promise<void>
  /** Requests for artifacts since the last `forgetRequests`; empty where the gateway keeps no log. */
  requests(): Promise<readonly ServedRequest[]>
  forgetRequests(): Promise<void>
  close(): Promise<void>
}

export interface GatewayPartOptions {
  /** A published layout that the operator of the LAN has put into it beforehand. */
  readonly siteDir: string
  readonly isArtifact: (sha256: string) => boolean
  readonly origins: readonly string[]
  readonly pageOrigins: readonly string[]
  readonly onChange: () => void
}

const INSTALL_NGINX = 'nginx would be used if it were installed: apt-get install nginx-light'
const BLOBS = join('by-hash', 'sha256')

export async function startGatewayPart(options: GatewayPartOptions): Promise<GatewayPart> {
  // Of its own: the path of a socket is limited, and the name of a work folder is not.
  const runDir = await mkdtemp(join(tmpdir(), 'sealift-gw-'))
  const part = new SwitchableGateway(options, { runDir, port: await findFreePort([]) })
  try {
    await part.set('up')
    return part
  } catch (error) {
    await part.close()
    throw error
  }
}

class SwitchableGateway implements GatewayPart {
  readonly url: string
  kind: GatewayPart['kind'] = 'nginx'
  note = '(nginx)'
  state: PartState = 'down'
  readonly #options: GatewayPartOptions
  readonly #place: { readonly runDir: string; readonly port: number }
  #siteDir: string
  #logStart = 0
  #running: RunningGateway | undefined

  constructor(options: GatewayPartOptions, place: { readonly runDir: string; readonly port: number }) {
    this.#options = options
    this.#place = place
    this.#siteDir = options.siteDir
    this.url = `http://${LOOPBACK}:${place.port}/`
  }

  async set(mode: PartMode): Promise<void> {
    if (mode === 'down') await this.#stop()
    else if (mode === 'wrong-bytes') await this.#restart('wrong-bytes')
    else if (this.state !== 'up') await this.#restart('up')
    this.#options.onChange()
  }

  async serve(siteDir: string): Promise<void> {
    if (siteDir === this.#siteDir) return
    this.#siteDir = siteDir
    if (this.state !== 'down') await this.#restart('up')
  }

  async requests(): Promise<readonly ServedRequest[]> {
    return this.kind === 'nginx' ? readLog(this.#logFile, this.#logStart, this.#options.isArtifact) : []
  }

  async forgetRequests(): Promise<void> {
    this.#logStart = await sizeOf(this.#logFile)
  }

  async close(): Promise<void> {
    await this.#stop()
    await rm(this.#place.runDir, { recursive: true, force: true })
  }

  get #logFile(): string {
    return join(this.#place.runDir, 'access.log')
  }

  async #restart(next: 'up' | 'wrong-bytes'): Promise<void> {
    await this.#stop()
    const cacheDir = join(this.#place.runDir, 'cache')
    const wrongDir = join(this.#place.runDir, 'wrong')
    // What it pulled from one layout, or from a lying origin, must not answer for another.
    await rm(cacheDir, { recursive: true, force: true })
    if (next === 'wrong-bytes') await writeWrongSite(this.#siteDir, wrongDir, this.#options.isArtifact)
    this.#running = await this.#start(cacheDir, next === 'up' ? this.#siteDir : wrongDir)
    this.state = next
  }

  async #start(cacheDir: string, pinnedRoot: string): Promise<RunningGateway> {
    const { runDir, port } = this.#place
    const common = { origins: this.#options.origins, allowedOrigins: this.#options.pageOrigins, cacheDir, pinnedRoot, host: LOOPBACK, port }
    try {
      const nginx = await startNginxGateway({ ...common, runDir })
      if (nginx !== undefined) return nginx
      this.note = `(our own; ${INSTALL_NGINX})`
    } catch (error) {
      if (!(error instanceof DeliveryError)) throw error
      this.note = `(our own; nginx did not start: ${error.message})`
    }
    this.kind = 'built-in'
    // The console says which parts are down, since it is what takes them down.
    return startCachingGateway({ ...common, log: () => undefined })
  }

  async #stop(): Promise<void> {
    const stopping = this.#running
    this.#running = undefined
    this.state = 'down'
    await stopping?.close()
  }
}

/** The same layout, with one bit of each artifact altered in every 64 KiB. */
async function writeWrongSite(siteDir: string, wrongDir: string, isArtifact: (sha256: string) => boolean): Promise<void> {
  await rm(wrongDir, { recursive: true, force: true })
  await mkdir(join(wrongDir, BLOBS), { recursive: true })
  await copyFile(join(siteDir, 'catalogue.json'), join(wrongDir, 'catalogue.json'))
  for (const name of await readdir(join(siteDir, BLOBS))) {
    const [from, to] = [join(siteDir, BLOBS, name), join(wrongDir, BLOBS, name)]
    if (isArtifact(name)) await copyAltered(from, to)
    else await link(from, to).catch(() => copyFile(from, to)) // another file system: a copy does as well
  }
}

async function copyAltered(from: string, to: string): Promise<void> {
  await copyFile(from, to)
  const file = await open(to, 'r+')
  try {
    const { size } = await file.stat()
    const byte = Buffer.alloc(1)
    for (let at = 0; at < size; at += 64 * 1024) {
      await file.read(byte, 0, 1, at)
      byte[0] = (byte[0] ?? 0) ^ 1
      await file.write(byte, 0, 1, at)
    }
  } finally {
    await file.close()
  }
}

/** Lines of the access log from byte `start` on: one JSON object each, written when a request ended. */
async function readLog(path: string, start: number, isArtifact: (sha256: string) => boolean): Promise<readonly ServedRequest[]> {
  const text = (await readFile(path)).subarray(start).toString('utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      const entry: unknown = JSON.parse(line)
      const fields = new Map(typeof entry === 'object' && entry !== null ? Object.entries(entry) : [])
      const uri = String(fields.get('uri'))
      const range = /^bytes=(\d+)-(\d+)$/.exec(String(fields.get('range')))
      if (range === null || !isArtifact(uri.slice(-64))) return []
      const endedMs = Number(fields.get('ms')) * 1000
      const atMs = endedMs - Number(fields.get('seconds')) * 1000
      return [{ atMs, path: uri, start: Number(range[1]), end: Number(range[2]) + 1, sentBytes: Number(fields.get('bytes')) }]
    })
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch {
    return 0 // no request yet
  }
}
