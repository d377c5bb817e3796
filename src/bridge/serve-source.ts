import { redactFailure } from '../core/audit/redact.ts'
import { DeliveryError, failureOf, type Failure } from '../core/errors.ts'
import type { Bitfield } from '../core/model/bitfield.ts'
import type { Sha256, SourceId } from '../core/model/ids.ts'
import type { CatalogueSource, Source } from '../core/ports.ts'
import type { EngineMessage, PageMessage } from '../core/wire/bridge-message.ts'

/** What a window lends to its engine. */
export interface LentSources {
  current(): readonly Source[]
  catalogues(): readonly CatalogueSource[]
  isGrowing(): boolean
}

/** The page's end: runs the reads that the engine asks for, and says which sources there are. */
export interface SourceServer {
  /** Takes a message of the engine; false when it is about something else. */
  receive(message: EngineMessage): boolean
  /** The set of sources changed. */
  announce(): void
  offer(source: SourceId, sha256: Sha256, pieces: Bitfield): void
  /** Ends every running read. */
  close(): void
}

/** @param send `transfer` lists buffers that may be moved instead of copied */
export function serveSources(lent: LentSources, send: (message: PageMessage, transfer?: readonly ArrayBuffer[]) => void): SourceServer {
  const running = new Map<number, AbortController>()

  const run = async (read: number, chunks: (signal: AbortSignal) => AsyncIterable<Uint8Array>): Promise<void> => {
    const stop = new AbortController()
    running.set(read, stop)
    try {
      for await (const chunk of chunks(stop.signal)) sendChunk(send, read, chunk)
      send({ type: 'read-end', read })
    } catch (error) {
      if (!stop.signal.aborted) send({ type: 'read-failed', read, failure: redactFailure(failureOf(error) ?? unexpected(error)) })
    } finally {
      running.delete(read)
    }
  }

  return {
    receive(message) {
      switch (message.type) {
        case 'read':
          void run(message.read, (signal) => sourceOf(lent, message.source).read(message.blob, message.range, signal))
          return true
        case 'read-catalogue':
          void run(message.read, (signal) => named(lent, message, signal))
          return true
        case 'read-cancel':
          running.get(message.read)?.abort(new DeliveryError({ code: 'engine-lost', detail: 'the engine needs it no more' }))
          return true
        default:
          return false
      }
    },
    announce() {
      const catalogues = new Set(lent.catalogues().map((source) => source.id))
      const sources = lent.current().map(({ id, tier, maxRunPieces, isLan = false }) => {
        return { id, tier, maxRunPieces, hasCatalogue: catalogues.has(id), isLan }
      })
      send({ type: 'sources', sources, isGrowing: lent.isGrowing() })
    },
    offer: (source, sha256, pieces) =>
      send({ type: 'offers', source, sha256, bits: pieces.length > 0 && pieces.isFull() ? 'all' : pieces.toBytes() }),
    close() {
      for (const stop of running.values()) stop.abort(new DeliveryError({ code: 'engine-lost', detail: 'the page closes' }))
    },
  }
}

function sourceOf(lent: LentSources, id: SourceId): Source {
  const source = lent.current().find((one) => one.id === id)
  if (source === undefined) throw new DeliveryError({ code: 'peer-closed', detail: 'it left' })
  return source
}

async function* named(
  lent: LentSources,
  wanted: { readonly source: SourceId; readonly trust: number; readonly limitBytes: number },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = lent.catalogues().find((one) => one.id === wanted.source)
  if (source === undefined) throw new DeliveryError({ code: 'peer-closed', detail: 'it left' })
  const { trust, limitBytes } = wanted
  yield await (trust === 0 ? source.readCatalogue(limitBytes, signal) : source.readTrustUpdate(trust, signal))
}

/** More than the header of a frame, less than any payload worth moving. */
const HEADER_MOST_BYTES = 64

/**
 * A chunk that has its buffer for itself is moved, with the header of the frame that brought it: copying costs a window in the middle of a download
 * as much as everything else that it does (measured). A view into something larger has to be copied.
 */
function sendChunk(send: (message: PageMessage, transfer?: readonly ArrayBuffer[]) => void, read: number, chunk: Uint8Array): void {
  const { buffer } = chunk
  const isAlone = chunk.byteOffset <= HEADER_MOST_BYTES && chunk.byteOffset + chunk.byteLength === buffer.byteLength
  if (isAlone && buffer instanceof ArrayBuffer) return send({ type: 'read-data', read, bytes: chunk }, [buffer])
  const copy = chunk.slice()
  send({ type: 'read-data', read, bytes: copy }, [copy.buffer])
}

function unexpected(error: unknown): Failure {
  return { code: 'engine-lost', detail: error instanceof Error ? error.message : String(error) }
}
