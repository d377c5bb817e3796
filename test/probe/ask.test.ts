import { createServer, type ServerResponse } from 'node:http'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createAsk, type Reply } from '../../src/node/probe/ask.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'
import { listenOnLoopback } from '../faults/listen.ts'
import { never } from '../node/publish-fixture.ts'

/** A body that comes chunk by chunk, each 900 ms after the one before; a server may be silent for 1000. */
async function trickle(chunks: number): Promise<Reply> {
  const clock = createVirtualClock()
  let waits = 0
  let response: ServerResponse | undefined
  const server = createServer((_, opened) => {
    response = opened
    opened.writeHead(200).write('.')
  })
  const { port, close } = await listenOnLoopback(server)
  onTestFinished(close)
  const sleep: typeof clock.sleep = (ms, signal) => {
    waits++
    return clock.sleep(ms, signal)
  }
  let reply: Reply | undefined
  const ask = createAsk({ clock: { ...clock, monotonicMs: clock.monotonicMs, sleep }, timeoutMs: 1000 })
  void ask({ url: `http://127.0.0.1:${port}/`, limitBytes: 100 }, never).then((answered) => (reply = answered))
  // The first two waits are for the whole and for the header.
  for (let seen = 1; seen <= chunks && reply === undefined; seen++) {
    await vi.waitFor(() => expect(waits).toBe(2 + seen))
    await clock.advance(900)
    if (seen < chunks) response?.write('.')
    else response?.end()
  }
  await vi.waitFor(() => expect(reply).toBeDefined())
  if (reply === undefined) throw new Error('expected a reply')
  return reply
}

test('a body that comes slowly, and is never silent for long, is read to its end', async () => {
  expect(await trickle(4)).toMatchObject({ kind: 'answered', status: 200, body: new Uint8Array(4).fill(46), ms: 3600 })
})

test('a body that never ends is given up, however regularly it comes', async () => {
  expect(await trickle(20)).toMatchObject({ kind: 'unanswered', detail: 'no answer within 6000 ms' })
})
