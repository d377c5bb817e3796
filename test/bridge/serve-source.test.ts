import { expect, test } from 'vitest'
import { createPortSources } from '../../src/bridge/port-source.ts'
import { serveSources } from '../../src/bridge/serve-source.ts'
import { toSha256, toSourceId } from '../../src/core/model/ids.ts'
import type { Source } from '../../src/core/ports.ts'
import type { PageMessage } from '../../src/core/wire/bridge-message.ts'
import { settle } from '../fakes/virtual-clock.ts'

const PEER = toSourceId('peer:one')
const HEADER_BYTES = 16

/** Has one read bring these chunks, over a port such as a worker's: what is listed is moved. @returns what arrives, in order */
async function carry(chunks: readonly Uint8Array[]): Promise<readonly PageMessage[]> {
  const source: Source = {
    id: PEER,
    tier: 'mesh',
    maxRunPieces: 1,
    isOffered: () => true,
    async *read() {
      yield* await Promise.resolve(chunks)
    },
  }
  const arrived: PageMessage[] = []
  const lent = { current: () => [source], catalogues: () => [], isGrowing: () => false }
  const server = serveSources(lent, (message, transfer) => void arrived.push(structuredClone(message, { transfer: [...(transfer ?? [])] })))
  const blob = { sha256: toSha256('ab'.repeat(32)), sizeBytes: 100 }
  server.receive({ type: 'read', read: 1, source: PEER, blob, range: { start: 0, end: 100 } })
  await settle()
  return arrived
}

function bytesOf(messages: readonly PageMessage[]): readonly (readonly number[])[] {
  return messages.flatMap((message) => (message.type === 'read-data' ? [[...message.bytes]] : []))
}

test('the payload of a frame crosses to the engine without being copied', async () => {
  const frame = new Uint8Array(HEADER_BYTES + 100).fill(7)
  expect(bytesOf(await carry([frame.subarray(HEADER_BYTES)]))).toEqual([Array.from({ length: 100 }, () => 7)])
  expect(frame.byteLength).toBe(0)
})

test('chunks that share their memory arrive whole, and what is theirs stays', async () => {
  const shared = Uint8Array.from({ length: 200 }, (_, at) => at)
  const [first, second] = [shared.subarray(0, 100), shared.subarray(100)]
  expect(bytesOf(await carry([first, second]))).toEqual([[...Array(100).keys()], Array.from({ length: 100 }, (_, at) => 100 + at)])
  expect(shared.byteLength).toBe(200)
})

test('the engine learns which peers are in the local network, also when one comes to be so later', () => {
  const source = { id: PEER, tier: 'mesh' as const, maxRunPieces: 1, isLan: false, isOffered: () => true, read: () => neverAsked() }
  const engine = createPortSources(() => undefined)
  const lent = { current: () => [source], catalogues: () => [], isGrowing: () => false }
  const server = serveSources(lent, (message) => void engine.receive(structuredClone(message)))
  const seen: (boolean | undefined)[] = []
  for (const isLan of [false, true]) {
    source.isLan = isLan
    server.announce()
    seen.push(engine.current()[0]?.isLan)
  }
  expect(seen).toEqual([false, true])
})

function neverAsked(): never {
  throw new Error('expected no read')
}
