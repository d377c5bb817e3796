import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import { findNginx } from '../../src/node/nginx-gateway.ts'
import { runCli } from '../cli/run-cli.ts'

export interface RunningNginx {
  readonly port: number
  /** What it said on standard error so far. */
  words(): string
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** A folder for `startNginx`: cache, pinned files and log live on in it when nginx is started anew. */
export interface GatewayFolder {
  readonly dir: string
  readonly port: number
}

/**
 * Lets `sealift gateway config` write a configuration, and starts nginx with it, as the shipped unit does. Ends with the test.
 * @param flags of the command, besides folders and port
 */
export async function startNginx({ dir, port }: GatewayFolder, flags: readonly string[]): Promise<RunningNginx> {
  for (const name of ['run', 'cache', 'pinned']) await mkdir(join(dir, name), { recursive: true })
  const config = join(dir, 'gateway.conf')
  // Workers of a root process change to an account that may not enter a private folder.
  const account = process.getuid?.() === 0 ? ['--user', userInfo().username] : []
  const folders = ['--run-dir', join(dir, 'run'), '--cache-dir', join(dir, 'cache'), '--pinned', join(dir, 'pinned')]
  const where = ['--listen', `127.0.0.1:${port}`, '--access-log', join(dir, 'access.log'), '--out', config]
  const written = await runCli(['gateway', 'config', ...folders, ...where, ...account, ...flags])
  if (written.exitCode !== 0) throw new Error(written.err)
  const child = spawn(findNginx() ?? '', ['-p', join(dir, 'run'), '-e', 'stderr', '-c', config, '-g', 'daemon off;'])
  let said = ''
  child.stderr.on('data', (text: Buffer) => (said += text.toString()))
  const stop = (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => end(child, signal)
  onTestFinished(() => stop())
  await vi.waitFor(async () => {
    if (child.exitCode !== null) throw new Error(said)
    await canConnect(port)
  }, 10_000)
  return { port, words: () => said, stop }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

async function canConnect(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
  } finally {
    socket.destroy()
  }
}
