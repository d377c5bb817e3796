import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DeliveryError } from '../core/errors.ts'
import { createDeadline } from './deadline.ts'
import { errorCode } from './durable-file.ts'
import { renderGatewayConfig, type GatewayOptions, type RunningGateway } from './gateway-config.ts'
import { untilAborted } from './read-body.ts'
import { systemClock } from './system-clock.ts'

export interface NginxGatewayOptions extends GatewayOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Default: a free one. */
  readonly port?: number
  /** Absolute path; made when it is missing. Holds the configuration, sockets and logs. */
  readonly runDir: string
  /** Addresses of DNS servers. Needed as soon as one origin is a name. */
  readonly resolver?: readonly string[]
}

const START_TIMEOUT_MS = 10_000
const STOP_TIMEOUT_MS = 3_000
const HEALTH_TIMEOUT_MS = 1_000
const NEVER = new AbortController().signal

/**
 * Path of nginx on this machine, or undefined. The sbin folders count even when PATH leaves them out.
 * @example
 * console.log(findNginx() ?? 'nginx is not installed')
 */
export function findNginx(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin']
  return folders.map((folder) => join(folder, 'nginx')).find(isExecutable)
}

/**
 * Starts nginx in the foreground as a LAN gateway and waits until it answers. It may start with all origins dead.
 * @returns undefined when nginx is not installed
 * @throws {DeliveryError} `config-invalid` when an option is wrong or nginx refuses to start, with its own words
 * @example
 * const gateway = await startNginxGateway({
 *   origins: ['https://cdn.example/'],
 *   allowedOrigins: ['https://portal.example'],
 *   cacheDir: '/var/cache/sealift',
 *   pinnedRoot: '/srv/sealift',
 *   port: 8080,
 *   runDir: '/run/sealift',
 *   resolver: ['10.0.0.1'],
 * })
 * console.log(gateway?.url ?? 'nginx is not installed')
 */
export async function startNginxGateway(options: NginxGatewayOptions): Promise<RunningGateway | undefined> {
  const nginx = findNginx()
  if (nginx === undefined) return undefined
  const host = options.host ?? '127.0.0.1'
  const listen = `${host}:${options.port ?? (await freePort(host))}`
  await Promise.all([mkdir(options.runDir, { recursive: true }), mkdir(options.cacheDir, { recursive: true })])
  await removeDeadSockets(options.runDir)
  const config = join(options.runDir, 'nginx.conf')
  // Workers of a root process change to an account that may not enter a private folder.
  const account = process.getuid?.() === 0 ? { user: userInfo().username } : {}
  const text = renderGatewayConfig({ ...options, ...account, listen, errorLog: 'stderr', accessLog: join(options.runDir, 'access.log') })
  await writeFile(config, text)
  const child = spawn(nginx, ['-p', options.runDir, '-e', 'stderr', '-c', config, '-g', 'daemon off;'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const words = lastWordsOf(child)
  try {
    await waitUntilHealthy(`http://${listen}`, child, words)
  } catch (error) {
    await stop(child)
    throw error
  }
  return { url: `http://${listen}`, close: () => stop(child) }
}

/** nginx does not start over a socket that a killed one left; one that somebody listens on is not ours to take. */
async function removeDeadSockets(runDir: string): Promise<void> {
  for (const name of await readdir(runDir)) {
    const path = join(runDir, name)
    if (/^o\d+\.sock$/.test(name) && (await isDead(path))) await rm(path, { force: true })
  }
}

function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const end = (isRefused: boolean): void => {
      socket.destroy()
      resolve(isRefused)
    }
    socket.once('connect', () => end(false))
    socket.once('error', (error) => end(errorCode(error) === 'ECONNREFUSED'))
  })
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false // absent and not executable come to the same
  }
}

/** Keeps the end of what it complained about, and so also drains the pipe. */
function lastWordsOf(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-2000)
  })
  child.once('error', (error) => {
    text += error.message
  })
  return () => text
}

async function waitUntilHealthy(url: string, child: ChildProcess, words: () => string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadline) {
    if (hasEnded(child) || child.pid === undefined) break
    if (await isHealthy(url)) return
    await delay(20)
  }
  throw new DeliveryError({ code: 'config-invalid', path: 'nginx', detail: words().trim() || 'nginx did not answer in time' })
}

async function isHealthy(url: string): Promise<boolean> {
  const deadline = createDeadline(systemClock, HEALTH_TIMEOUT_MS, NEVER)
  try {
    const response = await untilAborted(fetch(`${url}/healthz`, { signal: deadline.signal }), deadline.signal)
    await response.body?.cancel()
    return response.ok
  } catch {
    return false // not listening yet
  } finally {
    deadline.release()
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child) || child.pid === undefined) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const hammer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await ended
  clearTimeout(hammer)
}

async function freePort(host: string): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, () => resolve()))
  const address = server.address()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  if (address === null || typeof address === 'string') throw new TypeError('expected a TCP address')
  return address.port
}
