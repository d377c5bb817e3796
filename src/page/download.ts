import { parseAuditRecord } from '../core/audit/parse-audit-record.ts'
import type { AuditRecord } from '../core/audit/record.ts'
import type { ArtifactFacts, ArtifactRequest, DeliveryEvent } from '../core/wire/delivery-event.ts'
import { unexpectedAnswer, type EngineClient } from './engine-client.ts'
import { saveFile, toFile } from './hand-over.ts'
import { orAborted } from '../core/or-aborted.ts'

export interface DownloadOptions {
  /** An exact version. Default: the newest that this client may have. */
  readonly version?: string | undefined
  /** `os/arch`. Needed only where the catalogue has several. */
  readonly platform?: string | undefined
  readonly channel?: string | undefined
  /** Stops the download; what arrived is kept for the next one. */
  readonly signal?: AbortSignal | undefined
  /** Called for each event, in order. */
  readonly onEvent?: ((event: DeliveryEvent) => void) | undefined
}

/** A verified artifact, handed over. */
export interface Delivered {
  readonly file: File
  readonly artifact: ArtifactFacts
  /** Which source served each piece, and who signed. */
  readonly record: AuditRecord
  /** Puts the file into the browser's downloads. */
  save(): void
}

export interface Download {
  /** Rejects with a `DeliveryError`, or with the reason of the caller's signal. */
  readonly result: Promise<Delivered>
  /** Lets go of the network; verified pieces are kept. */
  pause(): void
  resume(): void
  /** Ends it; `result` rejects with an `AbortError`. */
  cancel(): void
}

const PAUSED: unique symbol = Symbol('paused')

/** Starts a download. Pausing ends the engine's call and resuming makes a new one: it goes on from the verified pieces. */
export function startDownload(engine: () => Promise<EngineClient>, request: ArtifactRequest, options: DownloadOptions): Download {
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  let pause = new AbortController()
  let resume: () => void = () => undefined
  let whenResumed = Promise.resolve()

  const run = async (): Promise<Delivered> => {
    for (;;) {
      await orAborted(whenResumed, signal)
      const attempt = pause
      try {
        return await deliver(await engine(), request, { signal: AbortSignal.any([signal, attempt.signal]), onEvent: options.onEvent })
      } catch (error) {
        if (error !== PAUSED || signal.aborted) throw error
        options.onEvent?.({ kind: 'phase', phase: 'paused' })
      }
    }
  }

  const result = run()
  // Whoever looks at the result sees its failure; that nobody looks is no unhandled rejection.
  result.catch(() => undefined)
  return {
    result,
    pause() {
      if (pause.signal.aborted) return
      whenResumed = new Promise((resolve) => (resume = resolve))
      pause.abort(PAUSED)
    },
    resume() {
      if (!pause.signal.aborted) return
      pause = new AbortController()
      resume()
    },
    cancel: () => stop.abort(new DOMException('The download was cancelled.', 'AbortError')),
  }
}

async function deliver(
  engine: EngineClient,
  request: ArtifactRequest,
  options: { readonly signal: AbortSignal; readonly onEvent: DownloadOptions['onEvent'] },
): Promise<Delivered> {
  const answer = await engine.call({ type: 'deliver', request }, options)
  if (answer.type !== 'delivered' || !(answer.blob instanceof Blob)) throw unexpectedAnswer(answer)
  const file = toFile(answer.blob, answer.artifact)
  return { file, artifact: answer.artifact, record: parseAuditRecord(answer.record), save: () => saveFile(file) }
}
