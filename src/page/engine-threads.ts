import type { EngineMessage, ThreadScript } from '../core/wire/bridge-message.ts'

/**
 * Threads that the engine asks for. The page starts them: in Firefox 153 a worker that starts a worker may stand still for ever, with all
 * that waits for it (26 of 970 first visits; of none when the page starts them: decision 0023).
 */
export interface EngineThreads {
  /** Starts one that speaks over `port`, or ends it, whatever it is doing. */
  take(message: Extract<EngineMessage, { type: 'thread' }>, port: MessagePort | undefined): void
  end(): void
}

export function createEngineThreads(urlOf: (script: ThreadScript) => URL | string): EngineThreads {
  const workers = new Map<number, Worker>()
  return {
    take({ thread, script }, port) {
      workers.get(thread)?.terminate()
      workers.delete(thread)
      if (script === undefined || port === undefined) return
      const worker = new Worker(urlOf(script))
      workers.set(thread, worker)
      worker.postMessage(undefined, [port])
    },
    end() {
      for (const worker of workers.values()) worker.terminate()
    },
  }
}
