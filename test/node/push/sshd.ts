import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, chmodSync, constants } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished, vi } from 'vitest'
import { temporaryFolder } from '../temporary-folder.ts'

const run = promisify(execFile)

/** An OpenSSH server of this machine, on loopback, that takes one key. */
export interface TestSshd {
  /** `ssh://user@127.0.0.1:port`, without a path. */
  readonly url: string
  /** An `ssh` that knows the server and has the key. */
  readonly program: string
  /** The same without the key. */
  readonly strangerProgram: string
  /** How often somebody with the key was let in, since it started or was cut. */
  logins(): number
  /** Ends every connection as a cut cable would, and takes new ones. */
  cut(): Promise<void>
}

const SSHD = '/usr/sbin/sshd'
const SSH = '/usr/bin/ssh'

/** False when either end is not installed. */
export function hasSshd(): boolean {
  return [SSHD, SSH, '/usr/bin/ssh-keygen'].every((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Gone when the test ends. */
export async function startSshd(): Promise<TestSshd> {
  const dir = await temporaryFolder()
  const user = userInfo().username
  for (const name of ['host', 'user', 'stranger'])
    await run('/usr/bin/ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)])
  // Where it drops its rights; packages make it when the service starts.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const port = await freePort()
  const settings = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(dir, 'host')}`,
    `AuthorizedKeysFile ${join(dir, 'user.pub')}`,
    `PidFile ${join(dir, 'pid')}`,
    'AuthenticationMethods publickey',
    'PermitRootLogin prohibit-password',
    'UsePAM no',
    // The folder above is one that anybody may write to.
    'StrictModes no',
  ]
  await writeFile(join(dir, 'sshd_config'), `${settings.join('\n')}\n`)
  const clientOf = async (key: string): Promise<string> => {
    const lines = [
      `IdentityFile ${join(dir, key)}`,
      'IdentitiesOnly yes',
      'StrictHostKeyChecking yes',
      `UserKnownHostsFile ${join(dir, 'known')}`,
    ]
    await writeFile(join(dir, `${key}_config`), `${lines.join('\n')}\n`)
    const path = join(dir, `ssh-${key}`)
    await writeFile(path, `#!/bin/sh\nexec ${SSH} -F ${join(dir, `${key}_config`)} "$@"\n`)
    chmodSync(path, 0o755)
    return path
  }
  const { stdout: hostKey } = await run('/bin/cat', [join(dir, 'host.pub')])
  await writeFile(join(dir, 'known'), `[127.0.0.1]:${port} ${hostKey}`)
  let server = await listen(dir, port)
  onTestFinished(async () => await end(server.child))
  return {
    url: `ssh://${user}@127.0.0.1:${port}`,
    program: await clientOf('user'),
    strangerProgram: await clientOf('stranger'),
    logins: () => server.words().split('Accepted publickey').length - 1,
    async cut() {
      await end(server.child)
      server = await listen(dir, port)
    },
  }
}

interface Listening {
  readonly child: ChildProcess
  /** What it has logged. */
  words(): string
}

async function listen(dir: string, port: number): Promise<Listening> {
  // A group of its own: the processes of its connections are in it.
  const child = spawn(SSHD, ['-D', '-e', '-f', join(dir, 'sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  let words = ''
  child.stderr.on('data', (text: Buffer) => (words += text.toString()))
  await vi.waitFor(
    () => {
      if (child.exitCode !== null) throw new Error(words)
      if (!words.includes(`port ${port}`)) throw new Error('it does not listen yet')
    },
    { timeout: 10_000, interval: 20 },
  )
  return { child, words: () => words }
}

/** The server and the processes of its connections, not the shells that they run: these see the end of what they read. */
async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return
  const gone = once(server, 'exit')
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=,comm='])
  const rows = [...stdout.matchAll(/^ *(\d+) +(\d+) (sshd.*)$/gm)].map(([, pid, parent]) => [Number(pid), Number(parent)] as const)
  const parents = new Map(rows)
  const isBelow = (pid: number | undefined): boolean => pid !== undefined && (pid === server.pid || isBelow(parents.get(pid)))
  for (const pid of [...parents.keys()].filter(isBelow)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself in between.
    }
  }
  await gone
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
