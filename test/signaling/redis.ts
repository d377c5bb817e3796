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
}

export async function startRedis(): Promise<TestRedis> {
  const port = await findFreePort([])
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  let process: ChildProcess | undefined
  const redis: TestRedis = {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      process = spawn('redis-server', settings, { stdio: 'ignore' })
      const failed = once(process, 'error').then(([error]: readonly unknown[]) => {
        throw error
      })
      await Promise.race([failed, untilAnswers(port)])
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
  }
  await redis.start()
  return redis
}

async function untilAnswers(port: number): Promise<void> {
  while (!(await answers(port))) await new Promise((resolve) => setImmediate(resolve))
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.write('PING\r\n'))
    socket.on('data', (data) => {
      socket.destroy()
      resolve(data.toString().startsWith('+PONG'))
    })
  })
}
