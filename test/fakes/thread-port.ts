import type { EngineEnd, ThreadEnd } from '../../src/engine/thread-line.ts'

/** A thread's own code at the other end of a port, on this thread: Node has no such workers. */
export function openThreadPort<Question, Answer>(serve: (end: ThreadEnd<Question, Answer>) => void): EngineEnd<Question, Answer> {
  const thread = holdThread(serve)
  thread.arrive()
  thread.release()
  return thread.port
}

/** A thread whose messages a test lets through. */
export interface HeldThread<Question, Answer> {
  readonly port: EngineEnd<Question, Answer>
  readonly isStopped: boolean
  /** The script arrives and runs. */
  arrive(): void
  /** Questions reach it from now on, those that wait first. */
  release(): void
  /** Questions that come from now on wait. */
  hold(): void
  /** Its script throws what nobody catches. */
  die(): void
  /** Resolves when so many questions have been sent to it, answered or not. */
  asked(count: number): Promise<void>
}

export function holdThread<Question, Answer>(serve: (end: ThreadEnd<Question, Answer>) => void): HeldThread<Question, Answer> {
  const toEngine = createLine()
  const toThread = createLine()
  const questions = new EventTarget()
  let asked = 0
  let isStopped = false
  toThread.hold()
  return {
    port: {
      post(message, transfer) {
        asked++
        toThread.send(message, transfer)
        questions.dispatchEvent(new Event('asked'))
      },
      onMessage: toEngine.onMessage,
      stop() {
        isStopped = true
        toThread.hold()
      },
    },
    get isStopped() {
      return isStopped
    },
    arrive: () => serve({ post: toEngine.send, onMessage: toThread.onMessage }),
    release: () => toThread.release(),
    hold: () => toThread.hold(),
    die: () => toEngine.send({ kind: 'unable' }, []),
    async asked(count) {
      while (asked < count) await new Promise((resolve) => questions.addEventListener('asked', resolve, { once: true }))
    },
  }
}

interface HeldLine {
  readonly send: (message: unknown, transfer: Transferable[]) => void
  onMessage(listener: (message: never) => void): void
  hold(): void
  release(): void
}

/** One way: what is sent arrives as a copy, its memory moved as between threads, in a task of its own. */
function createLine(): HeldLine {
  const arriving: unknown[] = []
  let isHeld = false
  let hear: ((message: never) => void) | undefined
  const deliver = (): void => {
    while (!isHeld && hear !== undefined && arriving.length > 0) hear(arriving.shift() as never)
  }
  return {
    send(message, transfer) {
      arriving.push(structuredClone(message, { transfer }))
      setImmediate(deliver)
    },
    onMessage(listener) {
      hear = listener
      setImmediate(deliver)
    },
    hold() {
      isHeld = true
    },
    release() {
      isHeld = false
      setImmediate(deliver)
    },
  }
}
