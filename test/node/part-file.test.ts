import { execFile } from 'node:child_process'
import { appendFile, link, readFile, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { Artifact } from '../../src/core/model/artifact.ts'
import { toPieceIndex, toSourceId } from '../../src/core/model/ids.ts'
import { openPart, type PartPlace } from '../../src/node/get/part-backing.ts'
import { createPartJournal } from '../../src/node/get/part-journal.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { makeArtifact, makePiece } from '../fakes/make-artifact.ts'
import { bytesOf, never } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'

const PIECE_BYTES = 64 * 1024
const BYTES = bytesOf(3 * PIECE_BYTES + 5)
const ARTIFACT = makeArtifact(BYTES, PIECE_BYTES)
const CDN = toSourceId('cdn-1')

const piece = (index: number) => makePiece(ARTIFACT, BYTES, index, CDN)
const newPlace = async (): Promise<PartPlace> => {
  const dir = await temporaryFolder()
  return { file: join(dir, 'part'), journal: join(dir, 'state') }
}
/** What the next run finds. */
const keptAt = async (place: PartPlace, artifact: Artifact = ARTIFACT) => {
  const part = await openPart(artifact, place, systemClock)
  await part.close()
  return [...part.kept.keys()]
}

/** A part file with the first and the last piece. */
async function filled(): Promise<PartPlace> {
  const place = await newPlace()
  const part = await openPart(ARTIFACT, place, systemClock)
  await part.prepare(never)
  await part.keep([await piece(0), await piece(3)], never)
  await part.close()
  return place
}

test('what is kept is found by the next run, with who served it', async () => {
  const place = await filled()
  const part = await openPart(ARTIFACT, place, systemClock)
  expect([...part.kept]).toEqual([
    [0, CDN],
    [3, CDN],
  ])
  expect(Buffer.from(await part.read(toPieceIndex(3), never)).equals(BYTES.subarray(3 * PIECE_BYTES))).toBe(true)
  const [whole] = await part.parts(toPieceIndex(0), 4, never)
  expect(whole?.size).toBe(BYTES.length)
  await part.close()
})

test('what is forgotten stays so', async () => {
  const place = await filled()
  const part = await openPart(ARTIFACT, place, systemClock)
  await part.forget([toPieceIndex(0)], never)
  await part.close()
  expect(await keptAt(place)).toEqual([3])
})

test('a line that a kill tore says nothing, and spoils no other', async () => {
  const place = await filled()
  await appendFile(place.journal, '1')
  const part = await openPart(ARTIFACT, place, systemClock)
  expect([...part.kept.keys()]).toEqual([0, 3])
  await part.keep([await piece(2)], never)
  await part.close()
  expect(await keptAt(place)).toEqual([0, 3, 2])
})

test.each(['99 cdn-1', 'nonsense', '1', '1 ', '-', '1e0 cdn-1'])('a line %j says nothing', async (line) => {
  const place = await filled()
  await appendFile(place.journal, `${line}\n`)
  expect(await keptAt(place)).toEqual([0, 3])
})

test('the word of another file counts for nothing, nor does any without the bytes', async () => {
  const place = await filled()
  await writeFile(place.journal, (await readFile(place.journal, 'utf8')).replace(ARTIFACT.sha256, '0'.repeat(64)))
  expect(await keptAt(place)).toEqual([])

  const cut = await filled()
  await truncate(cut.file, PIECE_BYTES)
  expect(await keptAt(cut)).toEqual([])
  // Nor later, when the file is as long again.
  await truncate(cut.file, BYTES.length)
  expect(await keptAt(cut)).toEqual([])
})

test('two that fill one file do not write over what the other says', async () => {
  const { journal } = await newPlace()
  const both = [createPartJournal(journal, ARTIFACT), createPartJournal(journal, ARTIFACT)]
  for (const one of both) await one.load()
  const index = toPieceIndex(1)
  for (let i = 0; i < 50; i++) await Promise.all(both.map((one, who) => one.add([{ index, source: toSourceId(`cdn-${who}`) }])))
  for (const one of both) await one.close()
  const lines = (await readFile(journal, 'utf8')).split('\n')
  expect(both.map((_, who) => lines.filter((line) => line === `1 cdn-${who}`).length)).toEqual([50, 50])
})

/** Every piece is there. */
async function full(): Promise<PartPlace> {
  const place = await filled()
  const part = await openPart(ARTIFACT, place, systemClock)
  await part.prepare(never)
  await part.keep([await piece(1), await piece(2)], never)
  await part.close()
  expect(await keptAt(place)).toEqual([0, 3, 1, 2])
  return place
}

test('a file that has another name too is not ours, though all of its bytes are right: so is a link', async () => {
  const named = await full()
  await link(named.file, `${named.file}.theirs`)
  expect(await keptAt(named)).toEqual([])
  await expect(stat(named.file)).rejects.toMatchObject({ code: 'ENOENT' })

  const linked = await full()
  await rename(linked.file, `${linked.file}.theirs`)
  await symlink(`${linked.file}.theirs`, linked.file)
  expect(await keptAt(linked)).toEqual([])
  expect((await readFile(`${linked.file}.theirs`)).equals(BYTES)).toBe(true)
})

test('a journal that has another name too says nothing', async () => {
  const place = await full()
  await link(place.journal, `${place.journal}.theirs`)
  expect(await keptAt(place)).toEqual([])
})

test('deleted with the file, the journal is begun with its head', async () => {
  const place = await filled()
  const part = await openPart(ARTIFACT, place, systemClock)
  await part.close()
  await rm(place.file)
  await rm(place.journal)
  await part.keep([await piece(1)], never)
  await part.close()
  expect(await keptAt(place)).toEqual([1])
})

test('a pipe in the place of either is waited for by nobody', async () => {
  for (const which of ['file', 'journal'] as const) {
    const place = await full()
    await rm(place[which])
    await promisify(execFile)('mkfifo', [place[which]])
    expect(await keptAt(place)).toEqual([])
  }
})
