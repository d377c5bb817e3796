import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import type { Origin } from '../../src/core/manifest/catalogue.ts'
import type { TrustConfig } from '../../src/core/manifest/site-config.ts'
import { publish } from '../../src/node/publish/publish.ts'
import { makeAuthoritySigner, makeFolder, bytesOf as patternOf } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { bytesOf, createMachine, deliver, never, type Machine } from './machine.ts'
import { ANY_PROVENANCE } from '../../src/core/verify/provenance-policy.ts'

// A starved machine takes seconds to load the authority; no outcome here depends on time.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const FILE = 'edge-agent-1.2.3-linux-amd64.tar.gz'
const CONTENT = patternOf(70 * 64 * 1024 + 5)

const origins: HttpOrigin[] = []
afterEach(() => {
  for (const origin of origins.splice(0)) origin.stop()
})

interface HttpOrigin {
  readonly url: string
  readonly asked: readonly string[]
  stop(): void
}

/** Serves the folder of a site over real HTTP, ranges and all. `tamper` changes the bytes of an answer. */
async function serve(site: string, tamper: (bytes: Buffer) => Buffer = (bytes) => bytes): Promise<HttpOrigin> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    readFile(join(site, path)).then(
      (file) => {
        const bytes = tamper(file)
        const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
        if (range === null) return response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
        const [start, last] = [Number(range[1]), Number(range[2])]
        const headers = { 'content-range': `bytes ${start}-${last}/${bytes.length}`, 'content-length': last + 1 - start }
        return response.writeHead(206, headers).end(bytes.subarray(start, last + 1))
      },
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('expected a port')
  const origin = {
    url: `http://127.0.0.1:${address.port}/`,
    asked,
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
  origins.push(origin)
  return origin
}

const newSite = async (): Promise<string> => join(await temporaryFolder(), 'site')

/** Publishes `CONTENT` into the folder, and gives a machine that trusts whoever signed it. */
async function publishInto(site: string, listed: readonly Origin[] = []): Promise<Machine> {
  const signer = await makeAuthoritySigner()
  const dir = await makeFolder({ [FILE]: CONTENT })
  await publish({ dir, site, repository: 'acme', signer, origins: listed, pieceLengthBytes: 64 * 1024 }, never)
  const { anyOf, trustedRoot, thresholds } = signer.policy
  const signers = { catalogueSigners: anyOf, artifactSigners: anyOf, minSigners: { catalogue: 1, artifacts: 1 } }
  const provenance = { ...ANY_PROVENANCE, required: true }
  const trust: TrustConfig = { ...signers, trustedRoot, thresholds, provenance, minimumVersion: 0, version: 0, updates: undefined }
  return createMachine({ nowSeconds: Math.floor(Date.now() / 1000), trust })
}

const at = (...places: readonly HttpOrigin[]) => ({ origins: places.map(({ url }, i) => ({ id: `cdn-${i + 1}`, url })) })

test('what the publisher makes is what the engine delivers, over HTTP, with its provenance', async () => {
  const site = await newSite()
  const machine = await publishInto(site)
  const { blob, record, artifact } = await deliver(machine.start([], at(await serve(site))))
  expect(Buffer.from(await bytesOf(blob)).equals(CONTENT)).toBe(true)
  expect(artifact).toMatchObject({ filename: FILE, pieceCount: 71 })
  expect(record.verdicts).toMatchObject([{ verdict: { form: 'message' } }, { verdict: { form: 'attestation' } }])
  expect(record.sources).toMatchObject([{ source: 'cdn-1', tier: 'cdn', pieces: [{ start: 0, end: 71 }], failures: [] }])
})

test('an origin that is down is passed over for the next one', async () => {
  const site = await newSite()
  const machine = await publishInto(site)
  const dead = await serve(site)
  dead.stop()
  const { record } = await deliver(machine.start([], at(dead, await serve(site))))
  expect(record.catalogue.source).toBe('cdn-2')
  expect(record.sources.filter((tally) => tally.verifiedBytes > 0).map((tally) => tally.source)).toEqual(['cdn-2'])
})

test('an origin that alters the artifact is found out and named in the record, and another one serves', async () => {
  const site = await newSite()
  const machine = await publishInto(site)
  const liar = await serve(site, (bytes) => (bytes.length === CONTENT.length ? Buffer.from(bytes.map((byte) => byte ^ 1)) : bytes))
  const { blob, record } = await deliver(machine.start([], at(liar, await serve(site))))
  expect(Buffer.from(await bytesOf(blob)).equals(CONTENT)).toBe(true)
  expect(record.sources.find((tally) => tally.source === 'cdn-1')).toMatchObject({
    verifiedBytes: 0,
    failures: [{ code: 'digest-mismatch' }],
  })
})

test('an origin that only the signed catalogue names serves when those of the site are gone', async () => {
  const site = await newSite()
  const [first, spare] = [await serve(site), await serve(site)]
  const machine = await publishInto(site, [{ id: 'eu', tier: 'cdn', url: spare.url, region: undefined, operator: undefined }])
  await machine.start([], at(first)).list(never)
  first.stop()
  expect(spare.asked).toEqual([])
  const { record } = await deliver(machine.start([], at(first)))
  expect(record.sources.filter((tally) => tally.verifiedBytes > 0).map((tally) => tally.source)).toEqual(['eu'])
})
