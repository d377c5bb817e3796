import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { packageRoot } from '../../src/node/package-root.ts'
import type { SignalingFacts, SignalingManner } from './hostile-signaling.ts'
import type { Order } from './signaling-child.ts'

const CHILD = join(packageRoot(), 'dist', 'test', 'hostile', 'signaling-child.js')

type Wish = { readonly [Kind in Order['kind']]: Omit<Extract<Order, { kind: Kind }>, 'id'> }[Order['kind']]

/** A signaling server in a process of its own, on a port that stays. */
export interface SignalingProcess {
  readonly url: string
  behave(manner: SignalingManner): Promise<void>
  facts(): Promise<SignalingFacts>
  /** As when its machine loses power: the port is closed, and everybody's line is cut. */
  kill(): Promise<void>
  /** After `kill`. It knows nobody. */
  restart(): Promise<void>
  /** It is there and does nothing any more, until `goOn`: the system still takes connections for it. */
  halt(): void
  goOn(): void
}

/** Needs the compiled tests. */
export async function startSignalingProcess(origins: readonly string[]): Promise<SignalingProcess> {
  let child = fork(CHILD)
  const port = Number(await order(child, { kind: 'start', origins, port: 0 }))
  return {
    url: `ws://127.0.0.1:${port}/`,
    behave: async (manner) => void (await order(child, { kind: 'behave', manner })),
    facts: async () => (await order(child, { kind: 'facts' })) as SignalingFacts,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
    async restart() {
      child = fork(CHILD)
      await order(child, { kind: 'start', origins, port })
    },
    halt: () => void child.kill('SIGSTOP'),
    goOn: () => void child.kill('SIGCONT'),
  }
}

let serial = 0

function order(child: ChildProcess, wish: Wish): Promise<unknown> {
  const id = ++serial
  return new Promise((resolve, reject) => {
    const end = (act: () => void): void => {
      child.off('message', onMessage).off('exit', onExit)
      act()
    }
    const onExit = (): void => end(() => reject(new Error('the signaling process has ended')))
    const onMessage = (answer: { readonly id: number; readonly result?: unknown; readonly error?: string }): void => {
      if (answer.id !== id) return
      end(() => (answer.error === undefined ? resolve(answer.result) : reject(new Error(answer.error))))
    }
    child.on('message', onMessage).on('exit', onExit)
    child.send({ ...wish, id })
  })
}
