import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'

// A starved machine takes seconds to load the authority; no outcome here depends on time.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

// The command as it is installed: it runs what the build made.
const SCRIPT = join(import.meta.dirname, '../../bin/sealift.js')

function start(args: readonly string[]) {
  const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  return { child, ended }
}

test('the installed command runs, and its exit code reaches the shell', async () => {
  expect(await start(['--help']).ended).toBe(0)
  expect(await start(['verify']).ended).toBe(2)
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s lets a running command end by itself', async (signal) => {
  const { child, ended } = start(['signaling', '--site', 'https://portal.acme.test', '--open', '--port', '0', '--host', '127.0.0.1'])
  child.stdout.once('data', () => child.kill(signal))
  expect(await ended).toBe(0)
})

test('a reader that has heard enough ends a command quietly', async () => {
  const { child, ended } = start(['--help'])
  let complaints = ''
  child.stderr.on('data', (text: Buffer) => (complaints += text.toString()))
  child.stdout.destroy()
  expect(await ended).toBe(0)
  expect(complaints).toBe('')
})
