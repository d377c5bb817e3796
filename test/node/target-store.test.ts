import { open, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createTargetStore } from '../../src/node/get/target-store.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { makeArtifact, makePiece } from '../fakes/make-artifact.ts'
import { toSourceId } from '../../src/core/model/ids.ts'
import { bytesOf, never } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'

const PIECE_BYTES = 64 * 1024
const BYTES = bytesOf(3 * PIECE_BYTES + 5)
const ARTIFACT = makeArtifact(BYTES, PIECE_BYTES)
const CDN = toSourceId('cdn-1')

function storeIn(folder: string, filename: string | undefined = 'agent', force = false) {
  const target = createTargetStore({ output: { folder, filename }, force, clock: systemClock })
  onTestFinished(() => target.release())
  return target
}

/** A download that has every piece, and whose bytes were hashed. */
async function verified(force = false) {
  const folder = await temporaryFolder()
  const target = storeIn(folder, 'agent', force)
  const file = await target.open(ARTIFACT, never)
  for (let index = 0; index < ARTIFACT.pieces.count; index++) await file.put(await makePiece(ARTIFACT, BYTES, index, CDN), never)
  const whole = await file.complete(never)
  expect(Buffer.from(await whole.arrayBuffer()).equals(BYTES)).toBe(true)
  return { target, part: join(folder, `.agent.sealift-part-${ARTIFACT.sha256.slice(0, 16)}`), finished: join(folder, 'agent') }
}

describe('what was verified gets its name', () => {
  test.each([true, false])('whole, whether it may replace another or not (%s)', async (force) => {
    const { target, finished } = await verified(force)
    await target.finish()
    expect((await readFile(finished)).equals(BYTES)).toBe(true)
  })

  const changes = {
    'is written to': async (part: string) => {
      const handle = await open(part, 'r+')
      await handle.write('evil', 7)
      await handle.close()
    },
    'is replaced by another file': async (part: string) => {
      await writeFile(`${part}.new`, 'evil'.padEnd(BYTES.length))
      await rename(`${part}.new`, part)
    },
    'is replaced by a link to another file': async (part: string) => {
      await rename(part, `${part}.moved`)
      await symlink(`${part}.moved`, part)
    },
  }
  test.each(Object.entries(changes))('but not when it %s after that', async (_, change) => {
    const { target, part, finished } = await verified()
    await change(part)
    await expect(target.finish()).rejects.toMatchObject({ failure: { code: 'input-invalid', path: part } })
    await expect(readFile(finished)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('but not that of a link that points nowhere yet', async () => {
    const { target, finished } = await verified()
    await symlink('/mine/later', finished)
    await expect(target.finish()).rejects.toMatchObject({ failure: { detail: 'came to be there meanwhile' } })
    expect(await readlink(finished)).toBe('/mine/later')
  })
})

describe('a process that lost its lock without noticing', () => {
  const OTHER_BYTES = BYTES.map((byte) => byte ^ 1)
  const OTHER = makeArtifact(OTHER_BYTES, PIECE_BYTES)

  /** It has a piece, and slept. */
  async function asleep() {
    const folder = await temporaryFolder()
    const first = storeIn(folder)
    const sleeper = await first.open(ARTIFACT, never)
    await sleeper.put(await makePiece(ARTIFACT, BYTES, 0, CDN), never)
    await rm(join(folder, '.agent.sealift-lock'))
    const second = storeIn(folder)
    return { first, sleeper, second, finished: join(folder, 'agent') }
  }

  test('spoils nothing of what another fetches under the same name', async () => {
    const { first, sleeper, second, finished } = await asleep()
    const file = await second.open(OTHER, never)
    for (let index = 0; index < OTHER.pieces.count; index++) {
      await file.put(await makePiece(OTHER, OTHER_BYTES, index, CDN), never)
      await sleeper.put(await makePiece(ARTIFACT, BYTES, index, CDN), never)
    }
    await file.complete(never)
    await second.finish()
    expect((await readFile(finished)).equals(OTHER_BYTES)).toBe(true)
    await expect(sleeper.complete(never)).rejects.toMatchObject({ failure: { code: 'store-tampered' } })
    await expect(first.finish()).rejects.toMatchObject({ failure: { detail: expect.stringContaining('another process took it over') } })
    expect((await readFile(finished)).equals(OTHER_BYTES)).toBe(true)
  })

  test('does no harm to one that fetches the same, though both fill one file', async () => {
    const { first, sleeper, second, finished } = await asleep()
    const file = await second.open(ARTIFACT, never)
    expect([...file.origins().keys()]).toEqual([0])
    for (let index = 1; index < ARTIFACT.pieces.count; index++) {
      const piece = await makePiece(ARTIFACT, BYTES, index, CDN)
      await Promise.all([file.put(piece, never), sleeper.put(piece, never)])
    }
    // What one is sure of stays, though the other is told to forget it all.
    await first.remove(ARTIFACT.sha256, never)
    await file.complete(never)
    await second.finish()
    // Its handle is still that of the file, which has its name by now.
    await sleeper.put(await makePiece(ARTIFACT, BYTES, 1, CDN), never)
    await expect(sleeper.complete(never)).rejects.toMatchObject({ failure: { code: 'store-tampered' } })
    expect((await readFile(finished)).equals(BYTES)).toBe(true)
  })
})
