import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { extname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startSwitchableServer, type SwitchableServer } from '../../demo/stack/switchable-server.ts'
import { listenOnLoopback } from '../faults/listen.ts'

const COMMAND = resolve(import.meta.dirname, '../../../bin/sealift.js')
const PROJECT = resolve(import.meta.dirname, '../../..')
const START_MS = 20_000

/** How a command ended, as a shell sees it. */
export interface Ended {
  readonly exitCode: number | null
  readonly out: string
  readonly err: string
}

/** A process that goes on: nginx, signaling, a seed. */
export interface Running {
  stop(): Promise<void>
}

/** Runs the installed command and waits for its end. */
export async function sealift(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const words = wordsOf(child)
  await once(child, 'close')
  return { exitCode: child.exitCode, ...words() }
}

/** Starts the installed command and waits until it has said `ready`. */
export async function startSealift(args: readonly string[], ready: RegExp): Promise<Running> {
  return await startUntil(spawn(process.execPath, [COMMAND, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }), (said) => ready.test(said))
}

/** Starts nginx with a whole configuration and waits until it answers. */
export async function startNginx(nginx: string, config: string, port: number): Promise<Running> {
  const child = spawn(nginx, ['-c', config, '-e', 'stderr', '-g', 'daemon off;'], { stdio: ['ignore', 'pipe', 'pipe'] })
  // An empty mirror has nothing to answer with but 404.
  const isUp = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    )
  return await startUntil(child, isUp)
}

/** The configuration that is shipped for a mirror, on this port and folder, without TLS: all of it is on this machine. */
export async function writeMirrorConfig(dir: string, root: string, port: number, token: string): Promise<string> {
  const shipped = await readFile(join(PROJECT, 'deploy', 'nginx-mirror.conf'), 'utf8')
  const site = shipped
    .replace('CHANGE-ME', token)
    .replace('listen 443 ssl;', `listen 127.0.0.1:${port};`)
    .replace(/^ *ssl_certificate.*\n/gm, '')
    .replace('root /srv/sealift;', `root ${root};`)
    .replace('/srv/sealift-uploads', join(dir, 'uploads'))
  const scratch = ['proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`).join(' ')
  await mkdir(dir, { recursive: true })
  const config = join(dir, 'nginx.conf')
  const user = process.getuid?.() === 0 ? 'user root;\n' : ''
  await writeFile(config, `${user}pid ${dir}/pid;\nevents {}\nhttp {\naccess_log off; ${scratch}\n${site}\n}\n`)
  return config
}

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.json': 'application/json' }

/** A portal that is nothing but a folder. */
export async function startPortal(publicDir: string, port: number): Promise<SwitchableServer> {
  return await startSwitchableServer((request, response) => {
    const { pathname } = new URL(request.url === '/' ? '/index.html' : (request.url ?? ''), 'http://portal.invalid')
    readFile(join(publicDir, decodeURIComponent(pathname))).then(
      (body) =>
        response.writeHead(200, { 'content-type': TYPES[extname(pathname)] ?? 'text/plain', 'cache-control': 'no-cache' }).end(body),
      () => response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n'),
    )
  }, port)
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listenOnLoopback(createServer())))
  await Promise.all(servers.map((server) => server.close()))
  return servers.map(({ port }) => port)
}

async function startUntil(child: ChildProcess, isReady: (said: string) => boolean | Promise<boolean>): Promise<Running> {
  const words = wordsOf(child)
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    await gone
  }
  const startedMs = performance.now()
  for (;;) {
    const { out, err } = words()
    if (await isReady(out + err)) return { stop }
    if (child.exitCode !== null || performance.now() - startedMs > START_MS) {
      await stop()
      throw new Error(`${child.spawnargs.join(' ')} did not start: ${(out + err).slice(-500)}`)
    }
    await delay(50)
  }
}

function wordsOf(child: ChildProcess): () => { readonly out: string; readonly err: string } {
  let out = ''
  let err = ''
  child.stdout?.on('data', (text: Buffer) => (out += text.toString()))
  child.stderr?.on('data', (text: Buffer) => (err += text.toString()))
  return () => ({ out, err })
}
