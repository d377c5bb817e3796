import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startCachingGateway, type CachingGatewayOptions } from '../../src/node/caching-gateway.ts'
import type { RunningGateway } from '../../src/node/gateway-config.ts'
import { gatewayContract } from './contract.ts'
import { startOrigin, type Origin } from './origin.ts'

gatewayContract('our own caching gateway', {
  isInstalled: true,
  start: (options) => startCachingGateway({ ...options, log: () => undefined }),
})

const FILE = randomBytes(2 ** 20 + 500)

describe('our own caching gateway, its disk', () => {
  let folder: string
  let origin: Origin
  let gateway: RunningGateway | undefined
  let events: string[]

  const start = async (change: Partial<CachingGatewayOptions> = {}): Promise<RunningGateway> => {
    await gateway?.close()
    gateway = await startCachingGateway({
      origins: [origin.url],
      allowedOrigins: [],
      cacheDir: join(folder, 'cache'),
      pinnedRoot: join(folder, 'pinned'),
      log: (event) => void events.push(event),
      ...change,
    })
    return gateway
  }
  const get = async ({ url }: RunningGateway): Promise<Buffer> =>
    Buffer.from(await (await fetch(`${url}/by-hash/sha256/${origin.digest}`)).arrayBuffer())

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gw-'))
    origin = await startOrigin(FILE)
    events = []
  })
  afterEach(async () => {
    await gateway?.close()
    gateway = undefined
    await origin.kill()
    await rm(folder, { recursive: true, force: true })
  })

  test('that cannot be written costs no client its answer, and the operator is told once', async () => {
    await writeFile(join(folder, 'cache'), 'a file where the folder should be')
    const running = await start()
    for (let client = 0; client < 3; client++) expect((await get(running)).equals(FILE)).toBe(true)
    const catalogue = await fetch(`${running.url}/catalogue.json`)
    expect([catalogue.status, await catalogue.text()]).toEqual([200, '{"first":true}'])
    await running.close()
    expect(events).toEqual(['cache-write-failed'])
  })

  test.each([8, 300, 0])('that holds only %i bytes of a slice is not believed: the slice is pulled again', async (sizeBytes) => {
    await get(await start())
    await gateway?.close()
    const slices = join(folder, 'cache', 'slices', origin.digest.slice(0, 2), origin.digest)
    expect((await readdir(slices)).toSorted()).toEqual(['0', '1'])
    await truncate(join(slices, '0'), sizeBytes)
    expect((await get(await start())).equals(FILE)).toBe(true)
  })

  test('serves a file without bytes, and keeps nothing of it', async () => {
    const empty = await startOrigin(Buffer.alloc(0))
    const answer = await fetch(`${(await start({ origins: [empty.url] })).url}/by-hash/sha256/${empty.digest}`)
    expect([answer.status, (await answer.arrayBuffer()).byteLength]).toEqual([200, 0])
    await empty.kill()
  })

  test('tells the operator why an origin gives nothing', async () => {
    const running = await start()
    await origin.kill()
    await fetch(`${running.url}/catalogue.json`)
    expect(events).toEqual(['origin-failed'])
  })
})
