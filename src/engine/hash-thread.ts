import type { Sha256 } from '../core/model/ids.ts'
import type { Clock, HashedContent } from '../core/ports.ts'
import type { EngineEnd, HashAnswer, HashQuestion } from './hash-message.ts'

/** The engine's line to the thread that hashes whole artifacts. */
export interface HashThread {
  /** False where its script does not arrive soon, as in a silent outage, or where it was lost. */
  isReady(): Promise<boolean>
  /** @throws {HashThreadLost} and whatever `chunks` throws */
  digest(chunks: HashedContent['chunks']): Promise<Sha256>
}

/** The thread failed, or fell silent. What it was hashing can be hashed elsewhere. */
export class HashThreadLost extends Error {
  override readonly name = 'HashThreadLost'
}

/** So long a stream waits for the script, counted from the start of the engine. */
const SCRIPT_WAITS_MS = 1000
/** Far more than a piece takes on the slowest machine: only a thread that died is silent for so long. */
const ANSWER_WAITS_MS = 20_000
/** Bytes on their way to it. */
const AHEAD_BYTES = 4 * 1024 * 1024

/** A worker with the script at `url`. */
export function startHashThread(url: URL | string): EngineEnd {
  const worker = new Worker(url)
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: (listener) => worker.addEventListener('message', ({ data }) => listener(data)),
    onFailure: (listener) => worker.addEventListener('error', listener),
  }
}

type WithoutAsk<Q> = Q extends HashQuestion ? Omit<Q, 'ask'> : never

export function openHashThread(start: () => EngineEnd, clock: Clock): HashThread {
  const line = createLine(start, clock)
  const patience = Promise.race([line.ready, clock.sleep(SCRIPT_WAITS_MS, new AbortController().signal)])
  let streams = 0
  return {
    async isReady() {
      await patience
      // What came late is used from then on.
      return line.isUsable()
    },
    async digest(chunks) {
      const stream = streams++
      const sent: { readonly bytes: number; readonly taken: ReturnType<Line['ask']> }[] = []
      const spares: ArrayBuffer[] = []
      let ahead = 0
      const makeRoom = async (most: number): Promise<void> => {
        for (let next = sent[0]; next !== undefined && ahead > most; next = sent[0]) {
          const { spare } = await next.taken
          if (spare !== undefined) spares.push(spare)
          ahead -= next.bytes
          sent.shift()
        }
      }
      try {
        for await (const bytes of chunks(() => spares.pop())) {
          const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice()
          const { length } = own
          const taken = line.ask({ kind: 'feed', stream, bytes: own }, [own.buffer])
          // Awaited in its turn; a chunk that fails before must not leave it unhandled.
          taken.catch(() => undefined)
          sent.push({ bytes: length, taken })
          ahead += length
          await makeRoom(AHEAD_BYTES)
        }
        await makeRoom(0)
        const { sha256 } = await line.ask({ kind: 'end', stream }, [])
        if (sha256 === undefined) throw new HashThreadLost('no digest came')
        return sha256
      } catch (error) {
        line.ask({ kind: 'drop', stream }, []).catch(() => undefined)
        throw error
      }
    },
  }
}

interface Line {
  /** Settles when the script runs, or cannot. */
  readonly ready: Promise<void>
  isUsable(): boolean
  ask(question: WithoutAsk<HashQuestion>, transfer: Transferable[]): Promise<Extract<HashAnswer, { kind: 'done' }>>
}

interface Open {
  readonly resolve: (answer: Extract<HashAnswer, { kind: 'done' }>) => void
  readonly reject: (error: HashThreadLost) => void
}

function createLine(start: () => EngineEnd, clock: Clock): Line {
  const open = new Map<number, Open>()
  let asked = 0
  let state: 'starting' | 'ready' | 'lost' = 'starting'
  let settle = (): void => undefined
  const ready = new Promise<void>((resolve) => (settle = resolve))
  const lose = (why: string): void => {
    state = 'lost'
    settle()
    for (const { reject } of open.values()) reject(new HashThreadLost(why))
    open.clear()
  }
  const receive = (answer: HashAnswer): void => {
    if (answer.kind === 'ready') {
      if (state === 'starting') state = 'ready'
      settle()
      return
    }
    if (answer.kind === 'unable') {
      lose('it cannot hash')
      return
    }
    open.get(answer.ask)?.resolve(answer)
    open.delete(answer.ask)
  }
  const port = tryStart(start)
  if (port === undefined) lose('it could not be started')
  port?.onMessage(receive)
  port?.onFailure(() => lose('its script failed'))
  return {
    ready,
    isUsable: () => state === 'ready',
    async ask(question, transfer) {
      if (port === undefined || state !== 'ready') throw new HashThreadLost('it is not there')
      const ask = asked++
      const answered = new AbortController()
      const answer = new Promise<Extract<HashAnswer, { kind: 'done' }>>((resolve, reject) => open.set(ask, { resolve, reject }))
      port.post({ ...question, ask }, transfer)
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
function tryStart(start: () => EngineEnd): EngineEnd | undefined {
  try {
    return start()
  } catch {
    // The same as one whose script never comes: script hashes on this thread.
    return undefined
  }
}
