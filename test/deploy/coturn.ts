import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { packageRoot } from '../../src/node/package-root.ts'

/** A coturn of this machine with the shipped settings. */
export interface TestCoturn {
  readonly port: number
  close(): Promise<void>
}

export const TURN_SECRET = 'a secret that coturn and signaling share'
const START_MS = 10_000

/** Undefined when it is not installed. */
export function findCoturn(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin']
  return folders
    .map((folder) => join(folder, 'turnserver'))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

interface CoturnPlace {
  /** Of this machine, where it listens and relays. Default: loopback. */
  readonly address?: string
  /** Default: a free one. */
  readonly port?: number
}

export async function startCoturn(program: string, { address = '127.0.0.1', ...place }: CoturnPlace = {}): Promise<TestCoturn> {
  const dir = await mkdtemp(join(tmpdir(), 'sealift-turn-'))
  const port = place.port ?? (await freeUdpPort())
  const replacements: readonly (readonly [string, string])[] = [
    ['listening-port=3478', `listening-port=${port}\nlistening-ip=${address}\nrelay-ip=${address}`],
    ['tls-listening-port=5349\ncert=/etc/ssl/sealift/turn.example.pem\npkey=/etc/ssl/sealift/turn.example.key\n', 'no-tls\nno-dtls\n'],
    ['CHANGE-ME-openssl-rand-base64-32', TURN_SECRET],
  ]
  let settings = await readFile(join(packageRoot(), 'deploy', 'turnserver.conf'), 'utf8')
  for (const [from, to] of replacements) {
    if (!settings.includes(from)) throw new Error(`turnserver.conf has no ${from}`)
    settings = settings.replace(from, to)
  }
  await writeFile(join(dir, 'turnserver.conf'), settings)
  const own = ['--log-file=stdout', `--pidfile=${join(dir, 'pid')}`, `--userdb=${join(dir, 'db')}`]
  const child = spawn(program, ['-c', join(dir, 'turnserver.conf'), ...own], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
  let words = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (words += text.toString()))
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
    await rm(dir, { recursive: true, force: true })
  }
  try {
    await untilBound(address, port)
  } catch (error) {
    await close()
    throw new Error(`turnserver does not listen: ${words}`, { cause: error })
  }
  return { port, close }
}

export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0)
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(resolve))
  return port
}

/** A STUN Binding request (RFC 8489) every 50 ms, until one is answered. */
async function untilBound(address: string, port: number): Promise<void> {
  const socket = createSocket('udp4')
  socket.connect(port, address)
  await once(socket, 'connect')
  // Refused, as long as nobody listens.
  socket.on('error', () => undefined)
  const asking = setInterval(() => socket.send(Buffer.from('000100002112a442' + '07'.repeat(12), 'hex')), 50)
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('message', () => resolve())
      AbortSignal.timeout(START_MS).addEventListener('abort', () => reject(new Error(`no answer within ${START_MS} ms`)))
    })
  } finally {
    clearInterval(asking)
    socket.close()
  }
}
