import type { Server } from 'node:http'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { toSourceId } from '../../src/core/model/ids.ts'
import type { DeliveryEvent } from '../../src/core/wire/delivery-event.ts'
import { listenOnLoopback } from '../faults/listen.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { blocksOf, readPage } from './page.ts'

interface Examples {
  tellTroubles(endpoint: string): { onEvent(event: DeliveryEvent): void }
  countTroubles(sources: readonly string[], codes: readonly string[]): Server
}

/** Both halves as they stand in docs/operations.md. */
async function readExamples(): Promise<Examples> {
  const examples = blocksOf(readPage('operations.md')).filter(({ text }) => text.includes('Troubles('))
  const path = join(await temporaryFolder(), 'beacons.ts')
  await writeFile(path, examples.map(({ text }) => text).join('\n'))
  return (await import(/* @vite-ignore */ path)) as Examples
}

let closing: (() => Promise<void>) | undefined
afterEach(async () => closing?.())

interface Counter extends Pick<Examples, 'tellTroubles'> {
  readonly url: string
  readonly server: Server
  metrics(): Promise<string>
}

async function startCounter(): Promise<Counter> {
  const { tellTroubles, countTroubles } = await readExamples()
  const server = countTroubles(['eu', 'us'], ['source-unreachable', 'digest-mismatch'])
  const { port, close } = await listenOnLoopback(server)
  closing = close
  const url = `http://127.0.0.1:${port}`
  return { url, server, tellTroubles, metrics: async () => (await fetch(`${url}/metrics`)).text() }
}

const trouble = (source: string, tier: 'cdn' | 'gateway' | 'mesh' = 'cdn'): DeliveryEvent => ({
  kind: 'trouble',
  source: toSourceId(source),
  tier,
  failure: { code: 'source-unreachable', source: toSourceId(source), phase: 'connect', elapsedMs: 1 },
  isBanned: false,
})

test('a source that fails is told once in a download, a peer never, and nothing of the visitor', async () => {
  const { url, server, tellTroubles, metrics } = await startCounter()
  const seen: unknown[] = []
  server.on(
    'request',
    ({ method, headers }: { method: string; headers: object }) => void (method === 'POST' && seen.push(Object.keys(headers))),
  )
  const { onEvent } = tellTroubles(`${url}/trouble`)
  onEvent({ kind: 'phase', phase: 'fetching' })
  onEvent(trouble('peer:0001', 'mesh'))
  onEvent(trouble('eu'))
  onEvent(trouble('eu'))
  tellTroubles(`${url}/trouble`).onEvent(trouble('eu'))
  await vi.waitFor(async () => expect(await metrics()).toBe('portal_source_troubles_total{source="eu",code="source-unreachable"} 2\n'))
  expect(seen).toHaveLength(2)
  expect(JSON.stringify(seen)).not.toMatch(/cookie|authorization/)
})

test('an endpoint that is down costs a download nothing', async () => {
  const { url, tellTroubles } = await startCounter()
  await closing?.()
  closing = undefined
  expect(() => tellTroubles(`${url}/trouble`).onEvent(trouble('eu'))).not.toThrow()
})

test('nobody who sends beacons can make up a series, or fill the memory', async () => {
  const { url, metrics } = await startCounter()
  const send = (body: string) => fetch(`${url}/trouble`, { method: 'POST', body })
  for (const made of [
    '{"source":"evil","code":"source-unreachable"}',
    '{"source":"eu","code":"x\\"} 1"}',
    'no json',
    '{"source":["eu"],"code":"digest-mismatch"}',
  ])
    expect((await send(made)).status).toBe(204)
  await expect(send('x'.repeat(1_000_000))).rejects.toThrow()
  expect((await fetch(`${url}/anything`)).status).toBe(404)
  expect(await metrics()).toBe('')
})
