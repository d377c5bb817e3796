import { failureOf, type Failure } from '../../src/core/errors.ts'
import { toPieceIndex, toSha256 } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { createHasher } from '../../src/engine/hasher.ts'
import type { FileStore } from '../../src/stores/artifact-file.ts'
import { createBlobStore } from '../../src/stores/blob-store.ts'
import { fileNameOf } from '../../src/stores/opfs-backing.ts'
import { openPieceFiles } from '../../src/stores/piece-files.ts'
import { openStoreView, type StoreCapabilities, type StoreView } from '../../src/stores/store-view.ts'
import { makeArtifact, makePiece } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { systemClock } from '../fakes/system-clock.ts'
import { startThread } from './lab-threads.ts'
import { runSuites, type CaseResult } from './store-suites.ts'

/** What a test can ask of a worker that owns real storage. */
export type LabRequest =
  | { readonly kind: 'suites'; readonly suites: readonly string[] }
  | { readonly kind: 'capabilities' }
  /** Keeps a whole artifact and marks it verified. Answers with its digest. */
  | { readonly kind: 'keep' }
  /** Answers with the verified artifact's blob, if it is found. */
  | { readonly kind: 'find'; readonly sha256: string }
  /** Opens an artifact of this size, without fetching it. */
  | { readonly kind: 'reserve'; readonly sizeBytes: number }
  /** Keeps pieces for as long as it is left alive, reporting each. */
  | { readonly kind: 'fill'; readonly into: 'view' | 'blobs' }
  /** Re-hashes whatever `fill` left. */
  | { readonly kind: 'check-fill'; readonly into: 'view' | 'blobs' }
  /** Puts the whole of a kept artifact together, alters its file, and reads the whole. */
  | { readonly kind: 'alter-whole'; readonly how: 'bytes' | 'last-byte' | 'put-again' }
  /** Streams bytes through the whole-artifact hasher. */
  | { readonly kind: 'hash'; readonly seed: number; readonly sizeBytes: number }

export interface LabAnswers {
  readonly suites: readonly CaseResult[]
  readonly capabilities: StoreCapabilities
  readonly keep: string
  readonly find: Blob | undefined
  readonly reserve: Failure | undefined
  readonly fill: number
  readonly 'check-fill': { readonly stored: readonly number[]; readonly wrong: readonly number[] }
  /** Digests before and after; `unreadable` when it cannot be read. */
  readonly 'alter-whole': { readonly sha256: string; readonly before: string; readonly after: string }
  readonly hash: { readonly digest: string; readonly canCompile: boolean }
}

const never = new AbortController().signal
const FILL_PIECE_BYTES = 64 * 1024
const FILL_PIECES = 400

/** Does what is asked. Runs in a dedicated worker or a service worker. */
export async function answerLab(request: LabRequest, report: (kept: number) => void): Promise<LabAnswers[LabRequest['kind']]> {
  switch (request.kind) {
    case 'suites':
      return await runSuites(request.suites)
    case 'capabilities':
      return (await openView()).capabilities
    case 'keep':
      return await keep()
    case 'find':
      return (await (await openView()).lookups.findVerified(toSha256(request.sha256), never))?.blob
    case 'reserve':
      return await reserve(request.sizeBytes)
    case 'fill':
      return await fill(request.into, report)
    case 'check-fill':
      return await checkFill(request.into)
    case 'alter-whole':
      return await alterWhole(request.how)
    case 'hash':
      return await hash(request.seed, request.sizeBytes)
  }
}

async function openView(): Promise<StoreView> {
  return await openStoreView({ clock: systemClock }, never)
}

async function keep(): Promise<string> {
  const bytes = seededBytes(31, 200_000)
  const artifact = makeArtifact(bytes, 65_536)
  const file = await (await openView()).store.open(artifact, never)
  for (let index = 0; index < artifact.pieces.count; index++) await file.put(await makePiece(artifact, bytes, index), never)
  await file.markVerified(never)
  await file.close()
  return artifact.sha256
}

async function alterWhole(how: 'bytes' | 'last-byte' | 'put-again'): Promise<LabAnswers['alter-whole']> {
  const bytes = seededBytes(33, 200_000)
  const artifact = makeArtifact(bytes, 65_536)
  const { store } = await openView()
  await store.remove(artifact.sha256, never)
  const file = await store.open(artifact, never)
  for (let index = 0; index < artifact.pieces.count; index++) await file.put(await makePiece(artifact, bytes, index), never)
  const blob = await file.complete(never)
  const before = await digestOf(blob)
  if (how === 'put-again') {
    await file.forget([toPieceIndex(1)], never)
    await file.put(await makePiece(artifact, bytes, 1), never)
  } else {
    const writer = await (await openPieceFiles()).openWriter(fileNameOf(artifact.sha256))
    const at = how === 'bytes' ? 0 : artifact.sizeBytes - 1
    writer.write(Uint8Array.of((bytes[at] ?? 0) ^ 1), { at })
    writer.flush()
    writer.close()
  }
  const after = await digestOf(blob)
  await file.close()
  return { sha256: artifact.sha256, before, after }
}

async function digestOf(blob: Blob): Promise<string> {
  try {
    return sha256Of(new Uint8Array(await blob.arrayBuffer()))
  } catch {
    return 'unreadable'
  }
}

async function reserve(sizeBytes: number): Promise<Failure | undefined> {
  const lengthBytes = 1024 * 1024
  const count = Math.ceil(sizeBytes / lengthBytes)
  const artifact = { ...makeArtifact(seededBytes(1, 10)), sizeBytes, pieces: { lengthBytes, count, hashes: new Uint8Array(count * 32) } }
  try {
    await (await (await openView()).store.open(artifact, never)).close()
    return undefined
  } catch (error) {
    return failureOf(error)
  }
}

async function fillStore(into: 'view' | 'blobs'): Promise<FileStore> {
  const view = await openView()
  if (into === 'view') return view.store
  if (view.index === undefined) throw new Error('this browser has no IndexedDB')
  return createBlobStore(view.index, systemClock)
}

async function fill(into: 'view' | 'blobs', report: (kept: number) => void): Promise<number> {
  const bytes = seededBytes(41, FILL_PIECES * FILL_PIECE_BYTES)
  const artifact = makeArtifact(bytes, FILL_PIECE_BYTES)
  const file = await (await fillStore(into)).open(artifact, never)
  for (let first = 0; first < FILL_PIECES; first += 4) {
    const pieces = await Promise.all([0, 1, 2, 3].map((i) => makePiece(artifact, bytes, first + i)))
    await Promise.all(pieces.map((piece) => file.put(piece, never).then(() => report(piece.index))))
  }
  await file.close()
  return FILL_PIECES
}

async function checkFill(into: 'view' | 'blobs'): Promise<LabAnswers['check-fill']> {
  const bytes = seededBytes(41, FILL_PIECES * FILL_PIECE_BYTES)
  const file = await (await fillStore(into)).open(makeArtifact(bytes, FILL_PIECE_BYTES), never)
  const stored = [...file.stored.indices()]
  const wrong: number[] = []
  for (const index of stored) {
    const expected = sha256Of(bytes.subarray(index * FILL_PIECE_BYTES, (index + 1) * FILL_PIECE_BYTES))
    if (sha256Of(await file.read(toPieceIndex(index), never)) !== expected) wrong.push(index)
  }
  await file.close()
  return { stored, wrong }
}

async function hash(seed: number, sizeBytes: number): Promise<LabAnswers['hash']> {
  const hasher = createHasher(() => startThread('hasher'), systemClock)
  const digest = await hasher.digestStream({ sizeBytes, chunks: () => slices(seededBytes(seed, sizeBytes)) })
  // The smallest module there is: its magic number and version.
  const canCompile = await WebAssembly.compile(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])).then(
    () => true,
    () => false,
  )
  return { digest, canCompile }
}

async function* slices(bytes: Uint8Array): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.slice(at, at + 100_000)
}
