import { collectBytes } from '../core/collect-bytes.ts'
import { DeliveryError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { BlobRef, ByteRange } from '../core/model/artifact.ts'
import { parseBitfield, type Bitfield } from '../core/model/bitfield.ts'
import type { PieceIndex, Sha256, SourceId } from '../core/model/ids.ts'
import type { CatalogueSource, Offered, Source, WindowNeeds, WindowSources } from '../core/ports.ts'
import type { EngineMessage, PageMessage, WindowSource } from '../core/wire/bridge-message.ts'
import { createReadQueue, type ReadQueue } from './read-queue.ts'

/** The worker's end of the window's sources. To the scheduler each is an ordinary `Source`. */
export interface PortSources extends WindowSources {
  /** Takes a message of the page; false when it is about something else. */
  receive(message: PageMessage): boolean
}

export function createPortSources(send: (message: EngineMessage) => void): PortSources {
  const book: Book = { send, reads: new Map(), members: new Map(), offers: new Map(), nextRead: 1 }
  const listeners = new Set<() => void>()
  let needs: WindowNeeds = { arePeersWanted: false, artifacts: [] }
  let isGrowing = false
  const changed = (): void => {
    for (const listener of listeners) listener()
  }

  return {
    current: () => [...book.members.values()].map((member) => member.source),
    catalogues: () => [...book.members.values()].flatMap((member) => (member.catalogue === undefined ? [] : [member.catalogue])),
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    isGrowing: () => isGrowing,
    setNeeds(next) {
      // Until the window has answered, its sources may still appear.
      isGrowing ||= next.arePeersWanted && !needs.arePeersWanted
      needs = next
      send({ type: 'needs', ...next })
    },
    ban: (source) => send({ type: 'banned', source }),
    receive(message) {
      if (message.type === 'sources') {
        isGrowing = message.isGrowing
        setMembers(book, message.sources)
      } else if (message.type === 'offers') noteOffer(book, message)
      else return feedRead(book, message)
      changed()
      return true
    },
  }
}

/** Gives a read what came for it; one that was cancelled meanwhile has no use for it. */
function feedRead(book: Book, message: PageMessage): boolean {
  switch (message.type) {
    case 'read-data':
      book.reads.get(message.read)?.push(message.bytes)
      return true
    case 'read-end':
      book.reads.get(message.read)?.end()
      return true
    case 'read-failed':
      book.reads.get(message.read)?.fail(new DeliveryError(message.failure))
      return true
    default:
      return false
  }
}

interface Member {
  facts: WindowSource
  readonly source: Source
  readonly catalogue: CatalogueSource | undefined
}

type Offer = { readonly kind: 'all' } | { readonly kind: 'bits'; readonly bytes: Uint8Array; set: Bitfield | undefined }

interface Book {
  readonly send: (message: EngineMessage) => void
  readonly reads: Map<number, ReadQueue>
  readonly members: Map<SourceId, Member>
  readonly offers: Map<string, Offer>
  nextRead: number
}

/** Keeps the objects of sources that stay: what the scheduler knows of them is tied to the object. */
function setMembers(book: Book, sources: readonly WindowSource[]): void {
  const ids = new Set(sources.map((source) => source.id))
  for (const id of book.members.keys()) {
    if (ids.has(id)) continue
    book.members.delete(id)
    for (const key of book.offers.keys()) if (key.startsWith(`${id} `)) book.offers.delete(key)
  }
  for (const facts of sources) {
    const known = book.members.get(facts.id)
    if (known === undefined) book.members.set(facts.id, createMember(book, facts))
    else known.facts = facts
  }
}

function createMember(book: Book, facts: WindowSource): Member {
  const { id, tier, maxRunPieces } = facts
  const source: Source = {
    id,
    tier,
    maxRunPieces,
    read: (blob, range, signal) => readBlob(book, { source: id, blob, range }, signal),
    isOffered: (blob, piece) => tier !== 'mesh' || isOffered(book, { source: id, blob, piece }),
    offered: (blob) => offered(book, id, blob),
    get isLan() {
      return member.facts.isLan
    },
  }
  const catalogue: CatalogueSource = {
    id,
    tier,
    readCatalogue: (limitBytes, signal) => readNamed(book, { source: id, trust: 0, limitBytes }, signal),
    readTrustUpdate: (trust, signal) => readNamed(book, { source: id, trust, limitBytes: LIMITS.trustUpdateBytes }, signal),
  }
  const member: Member = { facts, source, catalogue: facts.hasCatalogue ? catalogue : undefined }
  return member
}

function readBlob(
  book: Book,
  wanted: { readonly source: SourceId; readonly blob: BlobRef; readonly range: ByteRange },
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  return startRead(book, (read) => ({ type: 'read', read, ...wanted }), signal)
}

/** @param wanted.trust 0: the catalogue; else the trust update of this number */
async function readNamed(
  book: Book,
  wanted: { readonly source: SourceId; readonly trust: number; readonly limitBytes: number },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { trust, limitBytes } = wanted
  const chunks = startRead(book, (read) => ({ type: 'read-catalogue', read, ...wanted }), signal)
  const document = trust === 0 ? 'catalogue' : 'trust-update'
  return await collectBytes(chunks, limitBytes, () => new DeliveryError({ code: 'format-oversized', document, limitBytes }))
}

async function* startRead(
  book: Book,
  request: (read: number) => EngineMessage,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  signal.throwIfAborted()
  const read = book.nextRead++
  const queue = createReadQueue(signal)
  book.reads.set(read, queue)
  book.send(request(read))
  let isOver = false
  try {
    yield* queue.chunks()
    isOver = true
  } finally {
    book.reads.delete(read)
    if (!isOver) book.send({ type: 'read-cancel', read })
  }
}

function noteOffer(
  book: Book,
  { source, sha256, bits }: { readonly source: SourceId; readonly sha256: Sha256; readonly bits: Uint8Array | 'all' },
): void {
  book.offers.set(`${source} ${sha256}`, bits === 'all' ? { kind: 'all' } : { kind: 'bits', bytes: bits, set: undefined })
}

function offered(book: Book, source: SourceId, blob: BlobRef): Offered | undefined {
  const offer = book.offers.get(`${source} ${blob.sha256}`)
  return offer?.kind === 'bits' ? offer.bytes : offer?.kind
}

function isOffered(
  book: Book,
  { source, blob, piece }: { readonly source: SourceId; readonly blob: BlobRef; readonly piece: PieceIndex },
): boolean {
  const offer = book.offers.get(`${source} ${blob.sha256}`)
  if (offer === undefined) return false
  if (offer.kind === 'all') return true
  offer.set ??= parseBitfield(offer.bytes.length * 8, offer.bytes)
  return offer.set?.has(piece) ?? false
}
