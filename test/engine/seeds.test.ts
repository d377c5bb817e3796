import { beforeAll, describe, expect, test } from 'vitest'
import { toPieceIndex, type Sha256 } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import type { Engine } from '../../src/engine/compose.ts'
import { expectFailure } from '../contracts/check.ts'
import { makeArtifact } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createMachine, createMirror, deliver, never } from './machine.ts'
import { createPublisher, PIECE_BYTES, type Publisher, type Release, type ReleaseOptions } from './publisher.ts'

const BYTES = seededBytes(1, 3 * PIECE_BYTES + 5)
const { pieces: CUT } = makeArtifact(BYTES, PIECE_BYTES)
const SHA256 = sha256Of(BYTES)
const piece = toPieceIndex

let publisher: Publisher

beforeAll(async () => {
  publisher = await createPublisher()
})

/** A tab that has the artifact, and a way to publish a newer catalogue for a second one on the same machine. */
async function seeding(options: ReleaseOptions = {}, more: readonly Uint8Array[] = []) {
  const release = await publisher.release(BYTES, options)
  const blobs = [...release.blobs, ...more]
  const machine = createMachine(publisher)
  const mirror = createMirror('cdn-1', { catalogue: await publisher.catalogue([release]), blobs })
  const engine = machine.start([mirror])
  await deliver(engine)
  const publishAgain = async (releases: readonly Release[], denied: readonly Sha256[] = []): Promise<void> => {
    const version = publisher.nowSeconds + 60
    const catalogue = await publisher.catalogue(releases, { version, denied })
    machine.clock.nowSeconds += 7200
    await machine.start([createMirror('cdn-1', { catalogue, blobs })]).list(never)
  }
  return { release, machine, mirror, engine, publishAgain }
}

const readAll = async (engine: Engine, sha256: Sha256, count: number): Promise<readonly (Uint8Array | undefined)[]> =>
  await Promise.all(Array.from({ length: count }, (_, at) => engine.readSeed(sha256, piece(at), never)))

const listed = {
  editManifest: (manifest) => ({
    ...manifest,
    pieces: {
      kind: 'listed',
      lengthBytes: PIECE_BYTES,
      count: CUT.count,
      list: { sha256: sha256Of(CUT.hashes), sizeBytes: CUT.hashes.length },
    },
  }),
} satisfies ReleaseOptions

describe.each([
  ['in the manifest', {}, [], 3],
  ['in a list of its own', listed, [CUT.hashes], 4],
] as const)('a seeder whose piece hashes are %s', (_, options, more, documents) => {
  test('gives every piece and every document, each as its digest says', async () => {
    const { engine } = await seeding(options, more)
    const [artifact, ...others] = await engine.seedable(never)
    expect(artifact).toEqual({ sha256: SHA256, sizeBytes: BYTES.length, pieceLengthBytes: PIECE_BYTES, role: 'artifact', pieces: 'all' })
    expect(others).toHaveLength(documents)
    expect(Buffer.concat((await readAll(engine, SHA256, CUT.count)).map((bytes) => bytes ?? new Uint8Array(0)))).toEqual(Buffer.from(BYTES))
    for (const { sha256, role } of others) {
      const bytes = await engine.readSeed(sha256, piece(0), never)
      expect([role, bytes && sha256Of(bytes)]).toEqual(['document', sha256])
      expect(await engine.readSeed(sha256, piece(1), never)).toBeUndefined()
    }
  })

  test('pe10.onward: gives no piece that was altered where it is kept', async () => {
    const { engine, machine } = await seeding(options, more)
    await machine.index.alter(SHA256, 1)
    const read = await readAll(engine, SHA256, CUT.count)
    expect(read.map((bytes) => bytes !== undefined)).toEqual([true, false, true, true])
  })
})

test('a seeder gives no document that was altered where it is kept', async () => {
  const { engine, machine, release } = await seeding()
  for (const { sha256, role } of await engine.seedable(never)) {
    if (role !== 'document' || sha256 === release.entry.manifest.sha256) continue
    await machine.index.documents.put(sha256, new Uint8Array(100), never)
    expect(await engine.readSeed(sha256, piece(0), never)).toBeUndefined()
  }
  await machine.index.documents.put(release.entry.manifest.sha256, new Uint8Array(100), never)
  expect(await engine.readSeed(release.entry.manifest.sha256, piece(0), never)).toBeUndefined()
})

test('a seeder without the list of hashes offers nothing of the artifact, for it could check none of it', async () => {
  const { engine, machine } = await seeding(listed, [CUT.hashes])
  await machine.index.documents.remove(sha256Of(CUT.hashes), never)
  expect(await engine.seedable(never)).toEqual([])
  expect(await readAll(engine, SHA256, CUT.count)).toEqual(CUT_UNDEFINED)
})

const CUT_UNDEFINED = Array.from({ length: CUT.count }, () => undefined)

test('what another tab forgets and fetches again is not given away before it is there again', async () => {
  const { engine, machine, mirror } = await seeding()
  expect(await engine.readSeed(SHA256, piece(0), never)).toBeDefined()
  const other = machine.start([mirror])
  await other.forget(undefined, never)
  const file = await machine.stores.store.open(makeArtifact(BYTES, PIECE_BYTES), never)
  await expectFailure(engine.readSeed(SHA256, piece(0), never), ['store-failed'])
  await file.close()
  await deliver(other)
  expect(await engine.readSeed(SHA256, piece(0), never)).toBeDefined()
})

test('what the publisher takes back from peers is given away no more, nor are its documents, in any tab', async () => {
  const { engine, release, publishAgain } = await seeding()
  const seeds = await engine.seedable(never)
  await publishAgain([{ ...release, entry: { ...release.entry, mesh: false } }])
  for (const { sha256 } of seeds) expect(await engine.readSeed(sha256, piece(0), never)).toBeUndefined()
  expect(await engine.seedable(never)).toEqual([])
})

test('what the publisher denies is given away no more, even before it is purged', async () => {
  const { engine, release, publishAgain } = await seeding()
  await publishAgain([release], [SHA256])
  expect(await readAll(engine, SHA256, CUT.count)).toEqual(CUT_UNDEFINED)
})

test('a document that is kept and belongs to nothing that peers may have is not given away', async () => {
  const { engine, machine } = await seeding()
  const secret = seededBytes(9, 100)
  await machine.index.documents.put(sha256Of(secret), secret, never)
  expect(await engine.readSeed(sha256Of(secret), piece(0), never)).toBeUndefined()
})
