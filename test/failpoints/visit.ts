import { failureOf } from '../../src/core/errors.ts'
import { toPieceIndex, type PieceIndex } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { requireWhole } from '../../src/engine/whole-digest.ts'
import type { ArtifactFile } from '../../src/stores/artifact-file.ts'
import { composeStoreView, type StoreView } from '../../src/stores/store-view.ts'
import { instantHasher, makeArtifact, makePiece, pieceBytes } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../fakes/virtual-clock.ts'
import { Disk, type DiskImage } from './disk.ts'
import { createFailingFiles } from './failing-files.ts'
import { createFailingIndex } from './failing-index.ts'
import { createFailpoints, type Failpoints, type PlantedFailure } from './failpoint.ts'

export const BYTES = seededBytes(21, 2500)
/** Three pieces, the last one shorter. */
export const ARTIFACT = makeArtifact(BYTES, 1024)
const MOST_REPAIRS = 3
const CATALOGUE = 'catalogue:acme'
const FLOOR = 'catalogue-floor:acme'

/** Where pieces go: into files, or into the index where there is no file system. */
export type Layout = 'opfs' | 'blobs'

export interface VisitOptions {
  readonly layout: Layout
  readonly planted?: PlantedFailure | undefined
  /** What was fetched is refused in the end, as a denied artifact is, and every byte of it forgotten. */
  readonly forgets?: boolean
  /** The browser clears the private file system once the first piece is kept, under the open page. */
  readonly clears?: boolean
  /** A file system that says it has flushed, and has not: for seeing the checks fail. */
  readonly liesAboutFlushing?: boolean
}

/** What one visit did, and what it was told. */
export interface Visit {
  readonly points: Failpoints
  readonly disk: Disk
  /** Pieces that the store has said are kept, which lie where they outlive the visit. */
  readonly durable: ReadonlySet<PieceIndex>
  /** Pieces that came from a source. */
  readonly fetched: readonly PieceIndex[]
  /** Versions of the catalogue whose floor was said to be kept. */
  readonly floors: readonly number[]
  readonly records: number
  /** From here on, nothing of the artifact is promised. */
  readonly forgot: boolean
  readonly isDelivered: boolean
  readonly error: unknown
  /** What was read that is not what was signed. */
  readonly wrong: readonly string[]
}

/** One visit of a machine: its process begins with what is on the disk, and downloads the artifact as an engine does. */
export async function visit(image: DiskImage, version: number, options: VisitOptions): Promise<Visit> {
  const disk = new Disk(image)
  const points = createFailpoints(options.planted)
  const lies = options.liesAboutFlushing === true ? { flush: () => undefined } : {}
  const files = options.layout === 'opfs' ? createFailingFiles(disk, points, lies) : undefined
  const clock = createVirtualClock()
  const view = composeStoreView({ index: createFailingIndex(disk, points), files, clock })
  const log: Log = {
    durable: new Set(),
    fetched: [],
    floors: [],
    wrong: [],
    records: 0,
    forgot: false,
    isDelivered: false,
    error: undefined,
  }
  const { forgets = false, clears = false } = options
  const room: Room = { view, disk, clock, log, version, image, forgets, clears, signal: new AbortController().signal }
  const life = live(room).catch((error: unknown) => {
    log.error = error
  })
  await Promise.race([life, points.death])
  return { ...log, points, disk }
}

interface Log {
  readonly durable: Set<PieceIndex>
  readonly fetched: PieceIndex[]
  readonly floors: number[]
  readonly wrong: string[]
  records: number
  forgot: boolean
  isDelivered: boolean
  error: unknown
}

interface Room {
  readonly view: StoreView
  readonly disk: Disk
  readonly log: Log
  readonly version: number
  readonly image: DiskImage
  readonly forgets: boolean
  readonly clears: boolean
  readonly clock: VirtualClock
  readonly signal: AbortSignal
}

async function live(room: Room): Promise<void> {
  const { view, log, disk, version, signal } = room
  const { memory } = view
  const before = await memory.records.get(FLOOR, signal)
  if (typeof before === 'number' && before > version) log.wrong.push(`a floor of ${before} in visit ${version}`)
  await memory.records.putAll(
    new Map<string, unknown>([
      [CATALOGUE, version],
      [FLOOR, version],
    ]),
    signal,
  )
  if (floorOn(disk) === version) log.floors.push(version)
  await memory.documents.put(ARTIFACT.manifest.sha256, ARTIFACT.pieces.hashes, signal)
  const file = await view.store.open(ARTIFACT, signal)
  try {
    const blob = await fetchWhole(room, file)
    if (sha256Of(new Uint8Array(await blob.arrayBuffer())) !== ARTIFACT.sha256) log.wrong.push('what was handed over')
    if (room.forgets) await forget(room, file)
    else await file.markVerified(signal)
    await memory.audit.append(new TextEncoder().encode(`visit ${version}`), signal)
    log.records = recordsOn(disk)
    log.isDelivered = true
  } finally {
    await file.close()
  }
}

async function forget({ view, log, signal }: Room, file: ArtifactFile): Promise<void> {
  await file.close()
  log.durable.clear()
  log.forgot = true
  await view.store.remove(ARTIFACT.sha256, signal)
}

async function fetchWhole(room: Room, file: ArtifactFile): Promise<Blob> {
  const { signal } = room
  for (let repairs = 0; ; repairs++) {
    try {
      if (room.clears && repairs === 0) await fetchAndClear(room, file)
      const missing = [...ARTIFACT_PIECES].filter((piece) => !file.stored.has(piece))
      await Promise.all(missing.map((piece) => fetchPiece(room, file, piece)))
      const blob = await file.complete(signal)
      await requireWhole({ artifact: ARTIFACT, stored: file, hasher: instantHasher, blob }, signal)
      return blob
    } catch (error) {
      if (failureOf(error)?.code !== 'store-tampered' || repairs === MOST_REPAIRS) throw error
      // What was found altered, or gone, is nobody's promise any more.
      for (const piece of ARTIFACT_PIECES) if (!file.stored.has(piece)) room.log.durable.delete(piece)
    }
  }
}

async function fetchAndClear(room: Room, file: ArtifactFile): Promise<void> {
  const { disk, log, clock } = room
  await fetchPiece(room, file, toPieceIndex(0))
  log.durable.clear()
  for (const name of disk.names().filter((one) => one.endsWith('.part'))) disk.remove(name)
  // By now it may be noticed.
  await clock.advance(1000)
}

const ARTIFACT_PIECES = Array.from({ length: ARTIFACT.pieces.count }, (_, at) => toPieceIndex(at))

async function fetchPiece({ disk, image, log, signal }: Room, file: ArtifactFile, index: PieceIndex): Promise<void> {
  log.fetched.push(index)
  await file.put(await makePiece(ARTIFACT, BYTES, index), signal)
  // What went to memory, since the disk was full, is not promised to the next visit.
  const flag = JSON.stringify([ARTIFACT.sha256, index])
  const isFlagged = disk.table('pieces').has(flag) && disk.table('pieces').get(flag) !== image.tables.get('pieces')?.get(flag)
  if (isFlagged) log.durable.add(index)
  else log.durable.delete(index)
  const read = await file.read(index, signal)
  if (!isSame(read, pieceBytes(ARTIFACT, BYTES, index))) log.wrong.push(`piece ${index}, read back`)
}

/** Everything that can be read on a machine without trouble, held against what was signed. */
export async function inspect(
  image: DiskImage,
  layout: Layout,
): Promise<{ readonly kept: ReadonlySet<PieceIndex>; readonly wrong: string[] }> {
  const wrong: string[] = []
  const { signal } = new AbortController()
  const disk = new Disk(image)
  const points = createFailpoints()
  const files = layout === 'opfs' ? createFailingFiles(disk, points) : undefined
  const view = composeStoreView({ index: createFailingIndex(disk, points), files, clock: createVirtualClock() })
  // First as those see it who change nothing: service workers and seeders.
  const found = await view.lookups.findVerified(ARTIFACT.sha256, signal)
  if (found !== undefined && !isSame(new Uint8Array(await found.blob.arrayBuffer()), BYTES)) wrong.push('the verified artifact')
  const file = await view.store.open(ARTIFACT, signal)
  const kept = new Set<PieceIndex>()
  for (const piece of file.stored.indices()) {
    const bytes = await file.read(piece, signal).catch(() => undefined)
    // What cannot be read is found to be gone, and fetched again; wrong bytes under a flag are another thing.
    if (bytes === undefined) continue
    kept.add(piece)
    if (!isSame(bytes, pieceBytes(ARTIFACT, BYTES, piece))) wrong.push(`piece ${piece}`)
  }
  await file.close()
  return { kept, wrong }
}

export function floorOn(disk: Pick<DiskImage, 'tables'>): unknown {
  return disk.tables.get('records')?.get(JSON.stringify(FLOOR))?.value
}

export function recordsOn(disk: Pick<DiskImage, 'tables'>): number {
  return disk.tables.get('audit')?.size ?? 0
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}
