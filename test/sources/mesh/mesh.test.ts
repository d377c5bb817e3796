import { getEventListeners } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket as NodeWebSocket, WebSocketServer } from 'ws'
import { toPieceIndex } from '../../../src/core/model/ids.ts'
import { sha256Of } from '../../../src/core/verify/digest.ts'
import { startMesh, type Mesh, type MeshOptions } from '../../../src/sources/mesh/mesh.ts'
import { emptySeedStore, type SeedStore } from '../../../src/sources/mesh/seed-store.ts'
import { seededBytes } from '../../fakes/seeded-random.ts'
import { listenOnLoopback } from '../../faults/listen.ts'
import { systemClock } from '../../fakes/system-clock.ts'
import { KEY, ORIGIN, serve, ticket } from './site.ts'
import { createExchange, type Exchange } from './memory-links.ts'
import { never, seedStore } from './sessions.ts'

const PIECE = 64 * 1024
const BYTES = seededBytes(2, 3 * PIECE)
const BLOB = { sha256: sha256Of(BYTES), sizeBytes: BYTES.length }
const STORE = seedStore({ sha256: BLOB.sha256, bytes: BYTES, pieceLengthBytes: PIECE })

/** As a browser would open it: with the page's origin. */
class PageWebSocket extends NodeWebSocket {
  constructor(url: string) {
    super(url, { origin: ORIGIN, perMessageDeflate: false })
  }
}

const open: Mesh[] = []
afterEach(() => {
  for (const mesh of open.splice(0)) mesh.close()
})

function join(
  exchange: Exchange,
  urls: readonly string[],
  store: SeedStore = emptySeedStore,
  { signal = never, ...changes }: Partial<MeshOptions> & { readonly signal?: AbortSignal } = {},
): Mesh {
  const mesh = startMesh(
    {
      signalingUrls: urls,
      repository: 'https://portal.example/',
      ticket: ticket(),
      seedStore: store,
      createLink: exchange.links(),
      WebSocket: PageWebSocket,
      clock: systemClock,
      random: Math.random,
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
      ...changes,
    },
    signal,
  )
  open.push(mesh)
  return mesh
}

/** Resolves once the mesh has so many peers; the test's own timeout ends it. */
async function peers(mesh: Mesh, count: number): Promise<void> {
  const sources = mesh.sources()
  await new Promise<void>((resolve) => {
    const stop = sources.onChange(() => look())
    const look = (): void => {
      if (sources.current().length !== count) return
      stop()
      resolve()
    }
    look()
  })
}

async function readPiece(mesh: Mesh, index: number): Promise<Uint8Array> {
  const [source] = mesh.sources().current()
  if (source === undefined) throw new Error('no peer')
  const chunks: Uint8Array[] = []
  for await (const chunk of source.read(BLOB, { start: index * PIECE, end: (index + 1) * PIECE }, never)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('mesh', () => {
  test('a leech meets a seed through signaling and reads from it', async () => {
    const server = await serve()
    const exchange = createExchange()
    const seed = join(exchange, [server.url], STORE)
    seed.join(BLOB.sha256, 'seed')
    const leech = join(exchange, [server.url])
    const offered = new Promise<string>((resolve) =>
      leech.onOffer((source, digest, offer) => resolve(`${source.slice(0, 5)} ${digest === BLOB.sha256} ${offer?.pieces.size}`)),
    )
    leech.join(BLOB.sha256, 'leech')
    await peers(leech, 1)
    expect(await offered).toBe('peer: true 3')
    expect(leech.sources().current()[0]?.isOffered(BLOB, toPieceIndex(2))).toBe(true)
    expect(sha256Of(await readPiece(leech, 1))).toBe(sha256Of(BYTES.subarray(PIECE, 2 * PIECE)))
    const [stats] = await leech.stats()
    expect(stats?.receivedBytes).toBeGreaterThan(PIECE)
  })

  test('links outlive the signaling server, and whoever comes after its return is met', async () => {
    const server = await serve()
    const exchange = createExchange()
    const seed = join(exchange, [server.url], STORE)
    seed.join(BLOB.sha256, 'seed')
    const leech = join(exchange, [server.url])
    leech.join(BLOB.sha256, 'leech')
    await peers(leech, 1)
    await server.kill()
    expect(sha256Of(await readPiece(leech, 0))).toBe(sha256Of(BYTES.subarray(0, PIECE)))
    await serve({ port: server.port })
    const late = join(exchange, [server.url])
    late.join(BLOB.sha256, 'leech')
    await peers(late, 2)
  })

  test('one dead signaling server of two does no harm', async () => {
    const [dead, server] = [await serve(), await serve()]
    await dead.kill()
    const exchange = createExchange()
    const urls = [dead.url, server.url]
    join(exchange, urls, STORE).join(BLOB.sha256, 'seed')
    const leech = join(exchange, urls)
    leech.join(BLOB.sha256, 'leech')
    await peers(leech, 1)
    expect(leech.signaling().map(({ isOnline }) => isOnline)).toEqual([false, true])
  })

  test('a server that takes no connection, one that never answers and one that never lets in do not delay the one in this network', async () => {
    const [deaf, mute] = [await listenOnLoopback(createServer()), await listenOnLoopback(createServer())]
    const rude = new WebSocketServer({ server: createHttpServer() })
    const silent = await listenOnLoopback(rude.options.server ?? createServer())
    await deaf.close()
    const server = await serve()
    const exchange = createExchange()
    const urls = [...[deaf, mute, silent].map(({ port }) => `ws://127.0.0.1:${port}/`), server.url]
    join(exchange, urls, STORE).join(BLOB.sha256, 'seed')
    const leech = join(exchange, urls)
    leech.join(BLOB.sha256, 'leech')
    await peers(leech, 1)
    // The two that hang are still being waited for: the deadline of neither has passed.
    expect(leech.signaling().map(({ isOnline, failure }) => [isOnline, failure?.code])).toEqual([
      [false, 'signal-refused'],
      [false, undefined],
      [false, undefined],
      [true, undefined],
    ])
    for (const mesh of open.splice(0)) mesh.close()
    for (const socket of rude.clients) socket.terminate()
    await Promise.all([mute.close(), silent.close()])
  })

  test('an address that the page may not open, by its policy or as mixed content, is named and does not harm the other', async () => {
    const server = await serve()
    const exchange = createExchange()
    class StrictWebSocket extends PageWebSocket {
      constructor(url: string) {
        if (url.includes('//10.')) throw new DOMException('An insecure WebSocket connection may not be initiated', 'SecurityError')
        super(url)
      }
    }
    const urls = ['ws://10.0.0.5:8787/', server.url]
    join(exchange, urls, STORE, { WebSocket: StrictWebSocket }).join(BLOB.sha256, 'seed')
    const leech = join(exchange, urls, emptySeedStore, { WebSocket: StrictWebSocket })
    leech.join(BLOB.sha256, 'leech')
    await peers(leech, 1)
    expect(leech.signaling()).toMatchObject([{ isOnline: false, failure: { code: 'signal-invalid', path: 'url' } }, { isOnline: true }])
  })

  test('a peer that two servers know is connected once, and met again when that connection breaks', async () => {
    const [near, far] = [await serve(), await serve()]
    const exchange = createExchange()
    const urls = [near.url, far.url]
    const seed = join(exchange, urls, STORE)
    seed.join(BLOB.sha256, 'seed')
    await expect.poll(() => seed.signaling().every(({ isOnline }) => isOnline)).toBe(true)
    const leech = join(exchange, urls)
    leech.join(BLOB.sha256, 'leech')
    const standing = () => exchange.made.filter(({ a, b }) => !a.isClosed && !b.isClosed)
    await expect.poll(() => exchange.made.length).toBeGreaterThanOrEqual(2)
    await expect.poll(() => standing().length).toBe(1)
    await Promise.all([peers(leech, 1), peers(seed, 1)])
    expect(sha256Of(await readPiece(leech, 1))).toBe(sha256Of(BYTES.subarray(PIECE, 2 * PIECE)))
    expect(standing()).toHaveLength(1)
    const broken = standing()
    for (const { a } of broken) a.close()
    await expect.poll(() => standing().length, { timeout: 10_000 }).toBe(1)
    await peers(leech, 1)
    expect(broken.every((pair) => !standing().includes(pair))).toBe(true)
    expect(sha256Of(await readPiece(leech, 2))).toBe(sha256Of(BYTES.subarray(2 * PIECE)))
  })

  test('a banned peer is gone at once and does not come back', async () => {
    const server = await serve()
    const exchange = createExchange()
    const seed = join(exchange, [server.url], STORE)
    seed.join(BLOB.sha256, 'seed')
    const leech = join(exchange, [server.url])
    leech.join(BLOB.sha256, 'leech')
    await peers(leech, 1)
    const [source] = leech.sources().current()
    if (source === undefined) throw new Error('no peer')
    leech.ban(source.id, 'bad-piece')
    expect(leech.sources().current()).toEqual([])
    await peers(seed, 0)
    leech.leave(BLOB.sha256)
    leech.join(BLOB.sha256, 'leech')
    leech.joinCatalogue('leech')
    seed.joinCatalogue('seed')
    const other = join(exchange, [server.url])
    other.join(BLOB.sha256, 'leech')
    await peers(other, 2)
    expect(
      leech
        .sources()
        .current()
        .map(({ id }) => id),
    ).not.toContain(source.id)
  })

  test('a page that leaves is missed at once by those it was connected to', async () => {
    const server = await serve()
    const exchange = createExchange()
    const seed = join(exchange, [server.url], STORE)
    seed.join(BLOB.sha256, 'seed')
    const leech = join(exchange, [server.url])
    leech.join(BLOB.sha256, 'leech')
    await peers(leech, 1)
    seed.close()
    await peers(leech, 0)
    expect(exchange.made.every(({ a, b }) => a.isClosed && b.isClosed)).toBe(true)
  })

  test('a mesh that is closed leaves nothing behind at the signal that would have closed it', () => {
    const page = new AbortController()
    const mesh = join(createExchange(), [], STORE, { signal: page.signal })
    expect(getEventListeners(page.signal, 'abort')).toHaveLength(1)
    mesh.close()
    expect(getEventListeners(page.signal, 'abort')).toEqual([])
  })

  test('a server that refuses the ticket is told apart from one that is away', async () => {
    const server = await serve()
    const mesh = join(createExchange(), [server.url], STORE, {
      ticket: ticket({ key: { kid: KEY.kid, secret: new Uint8Array(32).fill(1) } }),
    })
    mesh.join(BLOB.sha256, 'seed')
    await expect.poll(() => mesh.signaling()[0]?.failure).toMatchObject({ code: 'signal-refused', reason: 'admission-refused' })
  })
})
