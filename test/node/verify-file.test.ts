import { createServer } from 'node:http'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { encodeCatalogue } from '../../src/core/manifest/parse-catalogue.ts'
import { encodeCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { publish } from '../../src/node/publish/publish.ts'
import { contentOfBytes } from '../../src/node/signing/content.ts'
import { trustOfPolicy } from '../../src/core/verify/site-trust.ts'
import { verifyFile } from '../../src/node/verify/verify-file.ts'
import { CLAIMS, OTHER_CLAIMS } from './claims.ts'
import { makeAuthoritySigner, makeFolder, makeKeySigner, never, stoppedClock } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { ANY_PROVENANCE } from '../../src/core/verify/provenance-policy.ts'

// A starved machine takes seconds to load the authority; no outcome here depends on time.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const FILE = 'edge-agent-1.2.3-linux-amd64.tar.gz'

async function published() {
  const clock = stoppedClock()
  const signer = await makeAuthoritySigner(CLAIMS, clock)
  const dir = await makeFolder({ [FILE]: 'agent' })
  const site = join(await temporaryFolder(), 'site')
  const options = { dir, site, repository: 'acme', signer, clock, lifetimeSeconds: 1000, graceSeconds: 100 }
  const report = await publish(options, never)
  const question = { file: join(dir, FILE), sites: [site], bundlePaths: [], trust: trustOfPolicy(signer.policy), clock }
  return { ...options, report, question }
}

describe('a published file', () => {
  test('is told with who signed it, where it was built and which catalogue lists it', async () => {
    const { question, report } = await published()
    const result = await verifyFile(question, never)
    expect(result.file.sha256).toBe(sha256Of(Buffer.from('agent')))
    expect(result.listed?.entry).toEqual(report.artifacts[0]?.entry)
    expect(result.listed?.found).toMatchObject({ freshness: 'fresh', verdict: { signer: CLAIMS } })
    expect(result.verdicts.map(({ verdict }) => verdict.form)).toEqual(['message', 'attestation'])
    expect(result.verdicts[1]?.verdict.sourceRepository).toBe('https://github.com/acme/agent')
  })

  test('is judged the same when the layout is on a server', async () => {
    const { question, site } = await published()
    const url = await serve(site)
    expect((await verifyFile({ ...question, sites: [url] }, never)).listed?.found.site.place).toBe(url)
  })

  test('is judged by the newest catalogue of all places, and by those that answer', async () => {
    const { question, site, clock, ...options } = await published()
    const old = await temporaryFolder()
    await writeFile(join(old, 'catalogue.json'), await readFile(join(site, 'catalogue.json')))
    clock.advance(10)
    await publish({ ...options, site, clock, settings: { channel: 'beta' } }, never)
    for (const sites of [
      ['http://127.0.0.1:1/', old, site],
      [site, old],
    ]) {
      expect((await verifyFile({ ...question, sites }, never)).listed?.found.catalogue.version).toBe(1_800_000_010)
    }
  })

  test('that was altered is refused with both digests', async () => {
    const { question } = await published()
    await writeFile(question.file, 'agenT')
    await expect(verifyFile(question, never)).rejects.toMatchObject({
      failure: { code: 'artifact-digest', expected: sha256Of(Buffer.from('agent')), actual: sha256Of(Buffer.from('agenT')) },
    })
  })

  test('that nobody published is unknown', async () => {
    const { question } = await published()
    const file = join(await makeFolder({ 'tool-1.0.tgz': 'tool' }), 'tool-1.0.tgz')
    await expect(verifyFile({ ...question, file }, never)).rejects.toMatchObject({ code: 'artifact-unknown' })
  })

  test('that was withdrawn is refused', async () => {
    const { question, report, clock, ...options } = await published()
    clock.advance(1)
    const digest = report.artifacts[0]?.entry.artifact.sha256
    if (digest === undefined) throw new Error('expected an artifact')
    await publish({ ...options, clock, denied: [digest] }, never)
    await expect(verifyFile(question, never)).rejects.toMatchObject({ code: 'artifact-denied' })
  })

  test('past the end of its catalogue is stale within the grace, then refused', async () => {
    const { question, clock } = await published()
    clock.advance(1050)
    expect((await verifyFile(question, never)).listed?.found.freshness).toBe('stale')
    clock.advance(100)
    await expect(verifyFile(question, never)).rejects.toMatchObject({ code: 'catalogue-expired' })
  })

  test('of another repository, or below the floor, is refused', async () => {
    const { question } = await published()
    await expect(verifyFile({ ...question, repository: 'other' }, never)).rejects.toMatchObject({ code: 'catalogue-repository' })
    await expect(verifyFile({ ...question, minimumVersion: 1_900_000_000 }, never)).rejects.toMatchObject({ code: 'catalogue-rollback' })
  })

  test('under a catalogue signed by somebody else is refused', async () => {
    const { question } = await published()
    const trust = trustOfPolicy((await makeKeySigner()).policy)
    await expect(verifyFile({ ...question, trust }, never)).rejects.toMatchObject({ name: 'DeliveryError' })
  })

  test('whose artifact signer is not trusted is refused, though the catalogue is', async () => {
    const { question, signer } = await published()
    const trust = { catalogue: signer.policy, artifacts: (await makeKeySigner()).policy, provenance: ANY_PROVENANCE }
    await expect(verifyFile({ ...question, trust }, never)).rejects.toMatchObject({ code: 'identity-mismatch' })
  })

  test('without provenance is refused where it is demanded', async () => {
    const { question, ...options } = await published()
    const signer = await makeKeySigner()
    await publish({ ...options, signer, replace: true }, never)
    const trust = { ...trustOfPolicy(signer.policy), provenance: { ...ANY_PROVENANCE, required: true } }
    await expect(verifyFile({ ...question, trust }, never)).rejects.toMatchObject({ code: 'provenance-refused' })
  })

  test('with an altered manifest is refused', async () => {
    const { question, site, report } = await published()
    const manifest = report.artifacts[0]?.entry.manifest.sha256 ?? ''
    await writeFile(join(site, 'by-hash', 'sha256', manifest), '{}')
    await expect(verifyFile(question, never)).rejects.toMatchObject({ code: 'blob-mismatch' })
  })

  test("whose catalogue entry names another artifact's manifest is refused", async () => {
    const { question, site, signer, clock, ...options } = await published()
    const dir = await makeFolder({ 'tool-1.0.tgz': 'tool' })
    const { catalogue } = await publish({ ...options, clock, site, signer, dir }, never)
    const [agent, tool] = catalogue.artifacts
    if (agent === undefined || tool === undefined) throw new Error('expected two entries')
    const payload = encodeCatalogue({ ...catalogue, artifacts: [{ ...agent, manifest: tool.manifest }] })
    const bundles = [await signer.signContent(contentOfBytes(payload), never)]
    await writeFile(join(site, 'catalogue.json'), encodeCatalogueEnvelope({ payload, bundles }))
    await expect(verifyFile(question, never)).rejects.toMatchObject({ failure: { code: 'manifest-mismatch', field: 'name' } })
  })

  test('with a missing manifest cannot be judged', async () => {
    const { question, site, report } = await published()
    await rm(join(site, 'by-hash', 'sha256', report.artifacts[0]?.entry.manifest.sha256 ?? ''))
    await expect(verifyFile(question, never)).rejects.toMatchObject({ code: 'blob-unavailable' })
  })

  test('cannot be judged when no place has a catalogue', async () => {
    const { question } = await published()
    const nothing = await verifyFile({ ...question, sites: [await temporaryFolder()] }, never).catch((error: unknown) => error)
    expect(nothing).toMatchObject({ code: 'catalogue-unavailable' })
    const dead = await verifyFile({ ...question, sites: ['http://127.0.0.1:1/'] }, never).catch((error: unknown) => error)
    expect(dead).toMatchObject({ code: 'source-unreachable' })
  })

  test('is not waited for once the user cancels, and the reason comes out unchanged', async () => {
    const { question } = await published()
    const stop = new AbortController()
    const reason = new Error('stopped by the user')
    const server = createServer(() => stop.abort(reason))
    await expect(verifyFile({ ...question, sites: [await listen(server)] }, stop.signal)).rejects.toBe(reason)
  })
})

describe('a file with a bundle beside it', () => {
  test('passes when the bundle does', async () => {
    const { file, bundle, signer } = await signedFile()
    const result = await verifyFile({ file, bundlePaths: [bundle], sites: [], trust: trustOfPolicy(signer.policy) }, never)
    expect(result).toMatchObject({ listed: undefined, verdicts: [{ verdict: { signer: CLAIMS } }] })
  })

  test('is refused when the bundle is of another identity, or the file was altered', async () => {
    const { file, bundle, signer } = await signedFile(OTHER_CLAIMS)
    const expected = { ...signer.policy, anyOf: [{ kind: 'certificate', ...CLAIMS }] } as const
    const question = { file, bundlePaths: [bundle], sites: [], trust: trustOfPolicy(expected) }
    await expect(verifyFile(question, never)).rejects.toMatchObject({ code: 'identity-mismatch' })
    await writeFile(file, 'other')
    await expect(verifyFile({ ...question, trust: trustOfPolicy(signer.policy) }, never)).rejects.toMatchObject({
      code: 'subject-mismatch',
    })
  })

  async function signedFile(claims = CLAIMS) {
    const signer = await makeAuthoritySigner(claims)
    const bytes = await signer.signContent(contentOfBytes(Buffer.from('agent')), never)
    const dir = await makeFolder({ [FILE]: 'agent', [`${FILE}.sigstore.json`]: bytes })
    return { file: join(dir, FILE), bundle: join(dir, `${FILE}.sigstore.json`), signer }
  }
})

async function serve(site: string): Promise<string> {
  return listen(
    createServer((request, response) => {
      readFile(join(site, request.url ?? '/')).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      )
    }),
  )
}

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${address instanceof Object ? address.port : 0}/`
}
