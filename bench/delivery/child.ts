import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Plain data in, plain data out; bytes and maps survive. */
type Calls = Readonly<Record<string, (argument: never) => unknown>>

interface Question {
  readonly id: number
  readonly name: string
  readonly argument: unknown
}

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** A process of its own, so that what it does takes no time of whoever measures. */
export interface Child {
  call<T>(name: string, argument?: unknown): Promise<T>
  close(): Promise<void>
  /** As a crash would. */
  kill(): Promise<void>
}

const ANSWER_MS = 60_000

/** @param script built, beside the caller */
export async function startChild(script: URL): Promise<Child> {
  const child = fork(fileURLToPath(script), { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const waiting = new Map<number, (answer: Answer) => void>()
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
  let last = 0
  child.on('message', (answer: Answer) => waiting.get(answer.id)?.(answer))
  child.on('exit', () => {
    for (const [id, settle] of waiting) settle({ id, error: 'the process has ended' })
  })
  return {
    async call<T>(name: string, argument?: unknown) {
      const id = ++last
      const answer = await new Promise<Answer>((resolve) => {
        const timer = setTimeout(() => resolve({ id, error: `${name} was not answered within ${ANSWER_MS} ms` }), ANSWER_MS)
        waiting.set(id, (given) => {
          clearTimeout(timer)
          waiting.delete(id)
          resolve(given)
        })
        child.send({ id, name, argument } satisfies Question)
      })
      if (answer.error !== undefined) throw new Error(answer.error)
      return answer.value as T
    },
    close: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  }
}

/** The other end, in the child. */
export function serveCalls(calls: Calls): void {
  const answer = async ({ id, name, argument }: Question): Promise<Answer> => {
    try {
      return { id, value: await calls[name]?.(argument as never) }
    } catch (error) {
      return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
    }
  }
  process.on('message', (question: Question) => void answer(question).then((given) => process.send?.(given)))
  // Whoever started it went away without a word.
  process.on('disconnect', () => process.exit())
}
