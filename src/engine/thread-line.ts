import type { Clock } from '../core/ports.ts'
import type { EngineMessage, ThreadScript } from '../core/wire/bridge-message.ts'

/** A question to a thread of ours, and its number. Both ends are of the same build. */
export interface Asked<Question> {
  readonly ask: number
  readonly question: Question
}

export type Said<Answer> =
  /** Sent once, unasked: the script has arrived and runs. */
  | { readonly kind: 'ready' }
  /** To each question, in order. */
  | { readonly kind: 'done'; readonly ask: number; readonly answer: Answer }
  /** To one question, which ends there: name and message of what was thrown. */
  | { readonly kind: 'failed'; readonly ask: number; readonly name: string; readonly message: string }
  /** It can do nothing of what it is there for. */
  | { readonly kind: 'unable' }

/** The engine's end. */
export interface EngineEnd<Question, Answer> {
  post(message: Asked<Question>, transfer: Transferable[]): void
  onMessage(listener: (message: Said<Answer>) => void): void
  /** Ends the thread, and what it holds is free. */
  stop(): void
}

/** The thread's end. */
export interface ThreadEnd<Question, Answer> {
  post(message: Said<Answer>, transfer: Transferable[]): void
  onMessage(listener: (message: Asked<Question>) => void): void
}

/** A thread of the engine's own that answers questions in order. It may never come, fail, or fall silent. */
export interface ThreadLine<Question, Answer> {
  /** False where its script does not arrive soon, as in a silent outage, or where it was lost. */
  isReady(): Promise<boolean>
  /** @throws {ThreadLost}, or what the thread threw as a `DOMException` of that name */
  ask(question: Question, transfer: Transferable[]): Promise<Answer>
  /** Ends the thread, whatever it is doing: what it was asked is lost. */
  end(why: string): void
}

/** The thread failed, or fell silent. What it was doing can be done elsewhere. */
export class ThreadLost extends Error {
  override readonly name = 'ThreadLost'
}

/** So long it is waited for, counted from the start of the engine. */
const SCRIPT_WAITS_MS = 1000
/** Far more than a piece takes on the slowest machine: only a thread that died is silent for so long. */
const ANSWER_WAITS_MS = 20_000

/** Asks the page for workers: one that this worker started itself might never come back (src/page/engine-threads.ts). */
export function createThreadStarter(ask: (message: Extract<EngineMessage, { type: 'thread' }>, transfer: Transferable[]) => void) {
  let threads = 0
  return <Question, Answer>(script: ThreadScript): EngineEnd<Question, Answer> => {
    const thread = threads++
    const { port1, port2 } = new MessageChannel()
    ask({ type: 'thread', thread, script }, [port2])
    return {
      ...threadEnd<Asked<Question>, Said<Answer>>(port1),
      stop: () => ask({ type: 'thread', thread, script: undefined }, []),
    }
  }
}

interface Open<Answer> {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

export function openThreadLine<Question, Answer>(start: () => EngineEnd<Question, Answer>, clock: Clock): ThreadLine<Question, Answer> {
  const open = new Map<number, Open<Answer>>()
  let asked = 0
  let state: 'starting' | 'ready' | 'lost' = 'starting'
  let settle = (): void => undefined
  const settled = new Promise<void>((resolve) => (settle = resolve))
  const patience = Promise.race([settled, clock.sleep(SCRIPT_WAITS_MS, new AbortController().signal)])
  const port = tryStart(start)
  const lose = (why: string): void => {
    state = 'lost'
    settle()
    port?.stop()
    for (const { reject } of open.values()) reject(new ThreadLost(why))
    open.clear()
  }
  const hear = (said: Said<Answer>): void => {
    switch (said.kind) {
      case 'ready':
        if (state === 'starting') state = 'ready'
        return settle()
      case 'unable':
        return lose('it cannot do it here')
      case 'done':
        open.get(said.ask)?.resolve(said.answer)
        return void open.delete(said.ask)
      case 'failed':
        open.get(said.ask)?.reject(new DOMException(said.message, said.name))
        return void open.delete(said.ask)
    }
  }
  if (port === undefined) lose('it could not be started')
  port?.onMessage(hear)
  return {
    end: lose,
    async isReady() {
      await patience
      // What came late is used from then on.
      return state === 'ready'
    },
    async ask(question, transfer) {
      if (port === undefined || state !== 'ready') throw new ThreadLost('it is not there')
      const ask = asked++
      const answered = new AbortController()
      const answer = new Promise<Answer>((resolve, reject) => open.set(ask, { resolve, reject }))
      port.post({ ask, question }, transfer)
      clock.sleep(ANSWER_WAITS_MS, answered.signal).then(
        () => lose('it did not answer'),
        () => undefined,
      )
      try {
        return await answer
      } finally {
        answered.abort()
      }
    },
  }
}

/** A worker may be refused at once, by a policy say. */
function tryStart<Question, Answer>(start: () => EngineEnd<Question, Answer>): EngineEnd<Question, Answer> | undefined {
  try {
    return start()
  } catch {
    // The same as one whose script never comes: this thread does the work.
    return undefined
  }
}

/** What the script of such a thread says and hears. `answer` is called in the order of the questions, and waited for. */
export function serveThread<Question, Answer>(
  port: ThreadEnd<Question, Answer>,
  answer: (question: Question) => Promise<Answered<Answer>>,
): void {
  let last: Promise<void> = Promise.resolve()
  const serve = async ({ ask, question }: Asked<Question>): Promise<void> => {
    try {
      const { answer: said, transfer } = await answer(question)
      port.post({ kind: 'done', ask, answer: said }, [...transfer])
    } catch (error) {
      if (error instanceof Unable) return port.post({ kind: 'unable' }, [])
      const { name, message } = error instanceof Error ? error : new Error(String(error))
      port.post({ kind: 'failed', ask, name, message }, [])
    }
  }
  port.onMessage((asked) => {
    last = last.then(() => serve(asked))
  })
  port.post({ kind: 'ready' }, [])
}

export interface Answered<Answer> {
  readonly answer: Answer
  readonly transfer: readonly Transferable[]
}

/** Thrown by a thread that can do nothing here, now or later. */
export class Unable extends Error {
  override readonly name = 'Unable'
}

/** In the script of a thread: its port is the first thing that the page sends it. Whatever nobody catches there ends its use. */
export function onPort<Question, Answer>(self: DedicatedWorkerGlobalScope, serve: (port: ThreadEnd<Question, Answer>) => void): void {
  const begin = ({ ports: [port] }: MessageEvent): void => {
    if (port === undefined) return
    const end = threadEnd<Said<Answer>, Asked<Question>>(port)
    const fail = (): void => end.post({ kind: 'unable' }, [])
    self.addEventListener('error', fail)
    self.addEventListener('unhandledrejection', fail)
    serve(end)
  }
  self.addEventListener('message', begin, { once: true })
}

function threadEnd<Out, In>(port: MessagePort) {
  return {
    post: (message: Out, transfer: Transferable[]): void => port.postMessage(message, transfer),
    onMessage(listener: (message: In) => void): void {
      port.onmessage = ({ data }) => listener(data)
    },
  }
}
