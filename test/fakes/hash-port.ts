import type { EngineEnd, HashPort } from '../../src/engine/hash-message.ts'
import { serveHashing } from '../../src/engine/hash-server.ts'
import type { HashStream } from '../../src/engine/hash-stream.ts'
import { createWasmStream } from '../../src/engine/wasm-hasher.ts'

/** The hashing thread's own code at the other end of a port, on this thread: Node has no such workers. */
export function openHashPort(createStream: () => Promise<HashStream> = createWasmStream): EngineEnd {
  const thread = holdThread(createStream)
  thread.arrive()
  thread.release()
  return thread.port
}

/** A hashing thread whose messages a test lets through. */
export interface HeldThread {
  readonly port: EngineEnd
  /** The script arrives and runs. */
  arrive(): void
  /** Questions reach it from now on, those that wait first. */
  release(): void
  /** Its script fails. */
  die(): void
  /** Resolves when so many chunks have been fed to it, answered or not. */
  fed(chunks: number): Promise<void>
}

export function holdThread(createStream: () => Promise<HashStream> = createWasmStream): HeldThread {
  const toEngine = createLine()
  const toThread = createLine()
  const fed = new EventTarget()
  let fedChunks = 0
  let fail = (): void => undefined
  toThread.hold()
  return {
    port: {
      post(message, transfer) {
        if (message.kind === 'feed') fedChunks++
        toThread.send(message, transfer)
        fed.dispatchEvent(new Event('fed'))
      },
      onMessage: toEngine.onMessage,
      onFailure: (listener) => void (fail = listener),
    },
    arrive: () => serveHashing({ post: toEngine.send, onMessage: toThread.onMessage }, createStream),
    release: () => toThread.release(),
    die: () => fail(),
    async fed(chunks) {
      while (fedChunks < chunks) await new Promise((resolve) => fed.addEventListener('fed', resolve, { once: true }))
    },
  }
}

interface HeldLine {
  readonly send: HashPort<unknown, unknown>['post']
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
