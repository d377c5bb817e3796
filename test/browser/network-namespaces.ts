import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Machines of their own on one network, as far as the kernel is concerned: each has an address on a bridge, and a loopback of its own. */
export interface Network {
  /** A program that starts `program` on the machine of this number, from 0 on. */
  programOn(machine: number, program: string): Promise<string>
  /** Takes the bridge away: from now on the machines reach nobody but themselves, and whatever was lent to them. */
  remove(): Promise<void>
}

/** Undefined where namespaces can be made, else why not. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'network namespaces need Linux and root'
  const name = `sealift-probe-${process.pid}`
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore' })
    execFileSync('ip', ['netns', 'delete', name], { stdio: 'ignore' })
    return undefined
  } catch {
    // No `ip`, or a container that may not: both mean the same here.
    return 'this machine makes no network namespaces'
  }
}

let made = 0

export interface NetworkChoices {
  readonly machines: number
  /** The first three numbers of its addresses. This machine is `.1` where it is `isIsolated`. Default: a private one. */
  readonly subnet?: string
  /** Machines reach this one and not each other, as two behind NATs that let nobody in. Default false. */
  readonly isIsolated?: boolean
}

/**
 * @param ports of servers on this machine's loopback that each machine sees on its own, at the same numbers: through files, and not over the
 * network, so that pages have one secure origin everywhere and nothing but peers meets on the bridge
 */
export async function createNetwork(choices: NetworkChoices, ports: readonly number[]): Promise<Network> {
  const { machines, subnet = '10.77.9', isIsolated = false } = choices
  // Names of its own: the kernel keeps those of an earlier one for a moment.
  const id = `${process.pid % 100_000}n${++made}`
  const bridge = `sl${id}`
  const dir = await mkdtemp(join(tmpdir(), 'sealift-net-'))
  const names = Array.from({ length: machines }, (_, machine) => `sealift-${id}-${machine}`)
  const lent: Server[] = []
  const children: ChildProcess[] = []
  const remove = async (): Promise<void> => {
    for (const child of children) child.kill('SIGKILL')
    for (const server of lent) server.close()
    for (const name of names) await ip('netns', 'delete', name).catch(() => undefined) // half made: it may not be there
    await ip('link', 'delete', bridge).catch(() => undefined) // as above
    await rm(dir, { recursive: true, force: true })
  }
  try {
    await ip('link', 'add', bridge, 'type', 'bridge', 'mcast_snooping', '0')
    await ip('link', 'set', bridge, 'up')
    if (isIsolated) await ip('address', 'add', `${subnet}.1/24`, 'dev', bridge)
    for (const port of ports) lent.push(await lend(port, join(dir, `${port}`)))
    for (const [machine, name] of names.entries()) {
      await addMachine({ name, bridge, machine, subnet, isIsolated })
      for (const port of ports) children.push(await borrow(name, { port, path: join(dir, `${port}`) }))
    }
  } catch (error) {
    await remove()
    throw error
  }
  return {
    async programOn(machine, program) {
      const path = join(dir, `program-${machine}`)
      await writeFile(path, `#!/bin/sh\nexec ip netns exec ${names[machine]} "${program}" "$@"\n`)
      await chmod(path, 0o755)
      return path
    },
    remove,
  }
}

async function ip(...args: readonly string[]): Promise<void> {
  await run('ip', [...args])
}

interface NewMachine extends Required<Pick<NetworkChoices, 'subnet' | 'isIsolated'>> {
  readonly name: string
  readonly bridge: string
  readonly machine: number
}

async function addMachine({ name, bridge, machine, subnet, isIsolated }: NewMachine): Promise<void> {
  const [outside, inside] = [`${bridge}o${machine}`, `${bridge}i${machine}`]
  await ip('netns', 'add', name)
  await ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside)
  await ip('link', 'set', outside, 'master', bridge, 'up')
  // Ports that are isolated reach the bridge itself and no other such port.
  if (isIsolated) await ip('link', 'set', outside, 'type', 'bridge_slave', 'isolated', 'on')
  await ip('link', 'set', inside, 'netns', name)
  await ip('-n', name, 'address', 'add', `${subnet}.${10 + machine}/24`, 'dev', inside)
  for (const device of [inside, 'lo']) await ip('-n', name, 'link', 'set', device, 'up')
  // Chromium asks the routes which address it has.
  await ip('-n', name, 'route', 'add', 'default', 'via', `${subnet}.1`)
}

/** A socket in the file system belongs to no network. */
async function lend(port: number, path: string): Promise<Server> {
  const server = createServer((socket) => {
    const other = connect(port, '127.0.0.1')
    socket.pipe(other).pipe(socket)
    for (const one of [socket, other]) one.on('error', () => [socket, other].forEach((each) => each.destroy()))
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return server
}

/** The same, on the other side; as a program, since it has to run there. */
const BORROW = `
const { connect, createServer } = require('node:net')
const [port, path] = process.argv.slice(1)
createServer((socket) => {
  const other = connect(path)
  socket.pipe(other).pipe(socket)
  for (const one of [socket, other]) one.on('error', () => [socket, other].forEach((each) => each.destroy()))
}).listen(Number(port), '127.0.0.1', () => console.log('ready'))
`

async function borrow(name: string, { port, path }: { readonly port: number; readonly path: string }): Promise<ChildProcess> {
  const child = spawn('ip', ['netns', 'exec', name, process.execPath, '-e', BORROW, `${port}`, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve())
    child.once('exit', (code) => reject(new Error(`nothing listens on port ${port} of ${name}: it ended with ${code}`)))
  })
  return child
}
