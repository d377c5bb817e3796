import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { takeLockFile, type LockHolder } from '../../src/node/lock-file.ts'
import { temporaryFolder } from './temporary-folder.ts'

const LIFE_MS = 5 * 60_000

const newPath = async (): Promise<string> => join(await temporaryFolder(), 'lock')
const holderOf = (path: string) => readFile(path, 'utf8').then((text): unknown => JSON.parse(text))
const beganAtMs = (): number => Math.floor(Date.now() - process.uptime() * 1000)
async function write(path: string, over: Partial<LockHolder>): Promise<void> {
  const holder = { token: 'another', pid: process.pid, host: hostname(), expiresAtMs: Date.now() + LIFE_MS }
  await writeFile(path, `${JSON.stringify({ ...holder, ...over })}\n`)
}

test('one that this process holds is held, until it lets go', async () => {
  const path = await newPath()
  const first = await takeLockFile(path)
  if (!('lock' in first)) throw new TypeError('expected the lock')
  expect(await takeLockFile(path)).toEqual({ holder: await holderOf(path) })
  expect(await first.lock.isHeld()).toBe(true)
  await first.lock.release()
  const second = await takeLockFile(path)
  expect(second).toHaveProperty('lock')
  if ('lock' in second) await second.lock.release()
})

test('a killed run that had the number which this process has now, as in a container, holds nothing', async () => {
  const path = await newPath()
  await write(path, { expiresAtMs: beganAtMs() - 1000 + LIFE_MS })
  const taken = await takeLockFile(path)
  expect(taken).toHaveProperty('lock')
  if ('lock' in taken) await taken.lock.release()
})

test('another thread of this process holds what it took, and so does another machine', async () => {
  const path = await newPath()
  await write(path, {})
  expect(await takeLockFile(path)).toMatchObject({ holder: { token: 'another' } })
  await write(path, { host: 'elsewhere', expiresAtMs: beganAtMs() - 1000 + LIFE_MS })
  expect(await takeLockFile(path)).toMatchObject({ holder: { host: 'elsewhere' } })
})

const noFiles = {
  pipe: async (path: string) => void (await promisify(execFile)('mkfifo', [path])),
  link: async (path: string) => await symlink('/dev/zero', path),
  folder: async (path: string) => await mkdir(path),
}
test.each(Object.entries(noFiles))('a %s in its place is refused at once', async (_, make) => {
  const path = await newPath()
  await make(path)
  await expect(takeLockFile(path)).rejects.toMatchObject({ failure: { code: 'input-invalid', path } })
})

test("one that is longer than any is nobody's", async () => {
  const path = await newPath()
  await writeFile(path, 'x'.repeat(1 << 20))
  const taken = await takeLockFile(path)
  expect(taken).toHaveProperty('lock')
  if ('lock' in taken) await taken.lock.release()
})
