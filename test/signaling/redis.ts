import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { findFreePort } from '../../demo/stack/switchable-server.ts'

/** A Redis of this machine, on a port of its own, that keeps nothing. */
export interface TestRedis {
  readonly url: string
  start(): Promise<void>
  /** As a crash would. */
  kill(): Promise<void>
  /** It takes connections and answers nothing. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** An inline command. @returns the first line of the answer */
  say(command: string): Promise<string>
}

const START_MS = 10_000

export async function startRedis(): Promise<TestRedis> {
  const port = await findFreePort([])
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  let process: ChildProcess | undefined
  const redis: TestRedis = {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      const started = spawn('redis-server', settings, { stdio: 'ignore' })
      process = started
      let failure: unknown
      started.on('error', (error) => (failure = error))
      const endsAtMs = performance.now() + START_MS
      while ((await say(port, 'PING').catch(() => '')) !== '+PONG') {
        if (failure !== undefined) throw failure
        if (performance.now() > endsAtMs) throw new Error(`redis-server did not answer within ${START_MS} ms`)
      }
    },
    async kill() {
      const ending = process
      process = undefined
      if (ending === undefined || ending.exitCode !== null) return
      const gone = once(ending, 'exit')
      ending.kill('SIGKILL')
      await gone
    },
    async freeze() {
      process?.kill('SIGSTOP')
    },
    async thaw() {
      process?.kill('SIGCONT')
    },
    say: (command) => say(port, command),
  }
  await redis.start()
  return redis
}

function say(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', reject)
    socket.on('connect', () => socket.write(`${command}\r\n`))
    socket.on('data', (data) => {
      socket.destroy()
      resolve(data.toString().split('\r\n')[0] ?? '')
    })
  })
}
