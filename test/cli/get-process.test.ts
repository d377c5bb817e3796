import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { BYTES, FILE, PIECE_BYTES, piecesAsked, piecesKept, release, serverOf } from './get-fixture.ts'

// The command as it is installed: it runs what the build made.
const SCRIPT = join(import.meta.dirname, '../../bin/sealift.js')

function start(program: string, args: readonly string[]): { readonly child: ChildProcess; readonly said: Promise<string> } {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => void (text += String(chunk)))
  return { child, said: once(child, 'close').then(() => text) }
}

test('killed in the middle, it goes on with what it had: no piece is fetched twice', async () => {
  const site = await release()
  const server = serverOf(site)
  await server.set({ stallAfterBytes: 5 * PIECE_BYTES })
  const first = start(process.execPath, [SCRIPT, ...site.args()])
  await vi.waitUntil(async () => (await piecesKept(site)).size >= 2, { timeout: 20_000, interval: 5 })
  first.child.kill('SIGKILL')
  await first.said
  const kept = await piecesKept(site)
  expect(await site.names()).not.toContain(FILE)
  server.forget()
  await server.set('none')

  const second = start(process.execPath, [SCRIPT, ...site.args()])
  expect(await second.said).toContain('verified   ')
  expect(second.child.exitCode).toBe(EXIT.ok)
  expect(kept.size).toBeGreaterThan(1)
  expect([...piecesAsked(server)].filter((piece) => kept.has(piece))).toEqual([])
  expect(server.sentBytes).toBeLessThanOrEqual(BYTES.length - kept.size * PIECE_BYTES + PIECE_BYTES)
  expect((await readFile(join(site.out, FILE))).equals(BYTES)).toBe(true)
  expect(await site.names()).toEqual([FILE])
})

test('interrupted, it ends at once, though a server keeps it waiting', async () => {
  const site = await release()
  await serverOf(site).set('hang')
  const { child, said } = start(process.execPath, [SCRIPT, ...site.args()])
  await vi.waitUntil(() => serverOf(site).requests.some(({ isArtifact }) => isArtifact), { timeout: 20_000, interval: 5 })
  child.kill('SIGINT')
  expect(await said).toContain('sealift: interrupted')
  expect(child.exitCode).toBe(EXIT.interrupted)
})

test('a disk that is full says so, and leaves no file of that name', async () => {
  const site = await release()
  // No file may become longer than five pieces: the system then answers as it does without room.
  const limit = `ulimit -f ${(5 * PIECE_BYTES) / 1024} && exec "$0" "$@"`
  const { child, said } = start('bash', ['-c', limit, process.execPath, SCRIPT, ...site.args()])
  expect(await said).toMatch(/quota-exceeded: neededBytes=\d+\n {2}Free disk space/)
  expect(child.exitCode).toBe(EXIT.fault)
  expect(await site.names()).not.toContain(FILE)
})

test('a record that the disk has no room for leaves the audit file as it was, to be added to', async () => {
  const site = await release()
  const audit = join(site.work, 'audit.jsonl')
  expect(await site.get(['agent', '--audit', audit])).toMatchObject({ exitCode: EXIT.ok })
  const record = await readFile(audit)
  // Room for all of the download, and for a part of the next record.
  const limitKib = Math.ceil(BYTES.length / 1024) + 64
  const before = Buffer.concat([Buffer.alloc(limitKib * 1024 - record.length - 101, 'x'), Buffer.from('\n'), record])
  await writeFile(audit, before)
  await rm(join(site.out, FILE))
  const limit = `ulimit -f ${limitKib} && exec "$0" "$@"`
  const { said } = start('bash', ['-c', limit, process.execPath, SCRIPT, ...site.args(['agent', '--audit', audit])])
  expect(await said).toContain('quota-exceeded')
  expect((await readFile(audit)).equals(before)).toBe(true)
  expect(await site.get(['agent', '--audit', audit])).toMatchObject({ exitCode: EXIT.ok })
  expect((await readFile(audit)).length).toBeGreaterThan(before.length)
})
