import { createHash } from 'node:crypto'
import { appendFile, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { parseCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import { parseManifest, parsePieceList } from '../../src/core/manifest/parse-manifest.ts'
import { toSha256 } from '../../src/core/model/ids.ts'
import { attachCatalogue } from '../../src/node/publish/attach-catalogue.ts'
import { preparePublish, publish, type PublishOptions } from '../../src/node/publish/publish.ts'
import { readSiteIn } from '../../src/node/site/site-reader.ts'
import { writeSite } from '../../src/node/site/site-writer.ts'
import { contentOfBytes } from '../../src/node/signing/content.ts'
import { trustOfPolicy } from '../../src/core/verify/site-trust.ts'
import { openAuthority } from '../../src/node/authority/authority.ts'
import { authoritySigner } from '../../src/node/publish/publish-signer.ts'
import { provenanceStatement } from '../../src/node/signing/statement.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { requirePolicy } from '../../src/core/verify/identity-policy.ts'
import { CLAIMS, OTHER_CLAIMS } from './claims.ts'
import { bytesOf, catalogueOf, makeAuthoritySigner, makeFolder, makeKeySigner, never, snapshotOf, stoppedClock } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { ANY_PROVENANCE } from '../../src/core/verify/provenance-policy.ts'

// A starved machine takes seconds to load the authority; no outcome here depends on time.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const FILE = 'edge-agent-1.2.3-linux-amd64.tar.gz'
const BUILD = {
  repository: 'https://github.com/acme/agent',
  ref: 'refs/tags/v1.2.3',
  commit: 'c0ffee'.padEnd(40, '0'),
  workflowPath: '.github/workflows/release.yml',
  builderId: CLAIMS.identity,
  invocationId: 'https://github.com/acme/agent/actions/runs/1',
  finishedAtSeconds: 1_800_000_000,
}
const KIB = 1024
const MIB = 1024 * KIB

const base = async (files: Readonly<Record<string, string | Uint8Array>>) => ({
  dir: await makeFolder(files),
  site: join(await temporaryFolder(), 'site'),
  repository: 'acme',
  signer: await makeKeySigner(),
})

describe('what is published', () => {
  test('is found from the catalogue down to every piece', async () => {
    const content = bytesOf(3 * MIB + 5)
    const options = await base({ [FILE]: content })
    const report = await publish({ ...options, signer: await makeAuthoritySigner() }, never)
    const [entry] = (await catalogueOf(options.site)).artifacts
    expect(entry).toMatchObject({ name: 'edge-agent', version: '1.2.3', platform: 'linux/amd64', mesh: true, rollout: 100, yanked: false })
    expect(entry).toEqual(report.artifacts[0]?.entry)
    if (entry === undefined) throw new Error('expected an entry')
    expect(entry.artifact).toEqual({ sha256: sha256Of(content), sizeBytes: content.length })
    const manifest = parseManifest(await readSiteIn(options.site).readBlob(entry.manifest, 'manifest', never))
    expect(manifest).toMatchObject({ filename: FILE, mediaType: 'application/gzip', priority: 'normal', sizeBytes: content.length })
    expect(manifest.bundles.map(({ kind }) => kind)).toEqual(['signature', 'attestation'])
    expect(manifest.pieces).toMatchObject({ kind: 'inline', lengthBytes: 256 * KIB, count: 13 })
    expect(await readFile(join(options.site, 'by-hash', 'sha256', entry.artifact.sha256))).toEqual(content)
    expect(await readFile(join(options.site, 'healthz'), 'utf8')).toContain('"ok":true')
  })

  test.each([
    ['zero bytes', 0],
    ['one byte', 1],
    ['one byte short of a piece', 64 * KIB - 1],
    ['a piece', 64 * KIB],
    ['a piece and a byte', 64 * KIB + 1],
    ['three pieces', 192 * KIB],
    ['one byte short of four pieces', 256 * KIB - 1],
    ['four pieces and a byte', 256 * KIB + 1],
  ])('of %s is cut so that the pieces are the file', async (_, length) => {
    const content = bytesOf(length)
    const options = await base({ [FILE]: content })
    await publish({ ...options, pieceLengthBytes: 64 * KIB }, never)
    const { pieces } = await onlyManifest(options.site)
    expect(pieces.kind === 'inline' && Buffer.from(pieces.hashes).toString('hex')).toBe(hashesOf(content, 64 * KIB))
    expect(pieces.count).toBe(Math.ceil(length / (64 * KIB)))
  })

  test('with more than 64 pieces has them listed in a blob of their own', async () => {
    const content = bytesOf(65 * 64 * KIB)
    const options = await base({ [FILE]: content })
    await publish({ ...options, pieceLengthBytes: 64 * KIB }, never)
    const { pieces } = await onlyManifest(options.site)
    if (pieces.kind !== 'listed') throw new Error('expected a list blob')
    const list = parsePieceList(await readSiteIn(options.site).readBlob(pieces.list, 'piece-list', never), 65)
    expect(Buffer.from(list).toString('hex')).toBe(hashesOf(content, 64 * KIB))
  })

  test('takes its properties from sealift.publish.json, and options win over it', async () => {
    const settings = {
      schema: 1,
      defaults: { channel: 'beta', version: '9.0.0' },
      files: {
        'sub/tool': {
          name: 'tool',
          platform: 'linux/arm64',
          mediaType: 'application/wasm',
          priority: 'critical',
          aliases: ['https://get.acme.test/tool'],
          mesh: false,
          rollout: 25,
        },
      },
    }
    const options = await base({ 'sub/tool': 'x', 'sealift.publish.json': JSON.stringify(settings) })
    await publish({ ...options, settings: { channel: 'edge' } }, never)
    const { artifacts } = await catalogueOf(options.site)
    expect(artifacts).toHaveLength(1)
    expect(artifacts[0]).toMatchObject({
      name: 'tool',
      version: '9.0.0',
      platform: 'linux/arm64',
      channel: 'edge',
      aliases: ['https://get.acme.test/tool'],
      mesh: false,
      rollout: 25,
    })
    expect(await onlyManifest(options.site)).toMatchObject({ mediaType: 'application/wasm', priority: 'critical', filename: 'tool' })
  })

  test('has a readable name too when that is asked for, without a second copy', async () => {
    const options = await base({ [FILE]: 'agent' })
    await publish({ ...options, byName: true }, never)
    await publish({ ...options, byName: true }, never)
    const named = await stat(join(options.site, 'by-name', 'edge-agent', '1.2.3', FILE))
    const blob = await stat(join(options.site, 'by-hash', 'sha256', sha256Of(Buffer.from('agent'))))
    expect(named.ino).toBe(blob.ino)
    expect([...(await snapshotOf(options.site)).keys()].filter((path) => path.includes('.part'))).toEqual([])
  })

  test('carries the bundle that lies beside the file, and is not signed again', async () => {
    const ci = await makeAuthoritySigner()
    const bundle = await ci.signContent(contentOfBytes(Buffer.from('agent')), never)
    const options = await base({ [FILE]: 'agent', [`${FILE}.sigstore.json`]: bundle })
    const trust = { catalogue: options.signer.policy, artifacts: ci.policy, provenance: ANY_PROVENANCE }
    await publish({ ...options, trust }, never)
    const { bundles } = await onlyManifest(options.site)
    expect(bundles).toEqual([{ kind: 'signature', sha256: sha256Of(bundle), sizeBytes: bundle.length }])
  })

  test('carries each line of a bundle file in JSON Lines', async () => {
    const ci = await makeAuthoritySigner()
    const content = contentOfBytes(Buffer.from('agent'))
    const attestation = await ci.attestBuild({ name: FILE, sha256: content.sha256 }, never)
    const lines = [await ci.signContent(content, never), attestation ?? new Uint8Array()].map((bytes) => Buffer.from(bytes).toString())
    const options = await base({ [FILE]: 'agent', [`${FILE}.sigstore.jsonl`]: `${lines.join('\n')}\n` })
    await publish(
      { ...options, trust: { catalogue: options.signer.policy, artifacts: ci.policy, provenance: { ...ANY_PROVENANCE, required: true } } },
      never,
    )
    expect((await onlyManifest(options.site)).bundles.map(({ kind }) => kind)).toEqual(['signature', 'attestation'])
  })
})

describe('bundles as they were downloaded', () => {
  async function attested() {
    const authority = await openAuthority(await temporaryFolder(), { clock: systemClock })
    const signer = authoritySigner(authority, { claims: CLAIMS, clock: systemClock })
    const sha256 = sha256Of(Buffer.from('agent'))
    const provenance = Buffer.from((await signer.attestBuild({ name: FILE, sha256 }, never)) ?? [])
    const about = provenanceStatement({ name: FILE, sha256 }, BUILD)
    const sbom = Buffer.from(await authority.attest({ ...about, predicateType: 'https://spdx.dev/Document/v2.3' }, CLAIMS, never))
    return {
      signer,
      sha256,
      provenance,
      sbom,
      trust: { ...trustOfPolicy(signer.policy), provenance: { ...ANY_PROVENANCE, required: true } },
    }
  }

  test('are found by the digest of the file, and what says nothing of a build is left out', async () => {
    const { sha256, provenance, sbom, trust, signer } = await attested()
    const options = await base({ [FILE]: 'agent', [`sha256:${sha256}.jsonl`]: `${sbom.toString()}\n${provenance.toString()}\n` })
    const report = await preparePublish({ ...options, signer: undefined, trust }, never)
    expect(report.artifacts).toHaveLength(1)
    expect(report.artifacts[0]?.manifest.bundles).toEqual([
      { kind: 'attestation', sha256: sha256Of(provenance), sizeBytes: provenance.length },
    ])
    await attachCatalogue(
      { site: options.site, payload: report.payload, bundles: [await signer.signContent(contentOfBytes(report.payload), never)], trust },
      never,
    )
    const again = await preparePublish({ ...options, signer: undefined, trust }, never)
    expect(again).toMatchObject({ isNew: false, artifacts: [{ isNew: false }] })
  })

  test('that only say other things are no word for the file', async () => {
    const { sha256, sbom, trust } = await attested()
    const options = await base({ [FILE]: 'agent', [`sha256-${sha256}.jsonl`]: `${sbom.toString()}\n` })
    await expect(preparePublish({ ...options, signer: undefined, trust }, never)).rejects.toMatchObject({ code: 'provenance-refused' })
  })
})

describe('where two have to sign', () => {
  test('a catalogue takes the bundles of both, and one of them is too few', async () => {
    const [first, second] = [await makeAuthoritySigner(), await makeKeySigner()]
    const { trustedRoot, thresholds, anyOf } = first.policy
    const both = requirePolicy([...anyOf, ...second.policy.anyOf], { trustedRoot, thresholds, minSigners: 2 })
    const sign = async (bytes: Uint8Array) =>
      await Promise.all([first, second].map(async (one) => await one.signContent(contentOfBytes(bytes), never)))
    const lines = (await sign(Buffer.from('agent'))).map((bundle) => Buffer.from(bundle).toString())
    const options = {
      ...(await base({ [FILE]: 'agent', [`${FILE}.sigstore.jsonl`]: lines.join('\n') })),
      signer: undefined,
      trust: trustOfPolicy(both),
    }
    const { payload } = await preparePublish(options, never)
    const bundles = await sign(payload)
    await expect(attachCatalogue({ ...options, payload, bundles: bundles.slice(1) }, never)).rejects.toMatchObject({
      code: 'signers-too-few',
    })
    await attachCatalogue({ ...options, payload, bundles }, never)
    expect((await catalogueOf(options.site)).artifacts).toHaveLength(1)
  })

  test('a file that one of them signed is not published', async () => {
    const [first, second] = [await makeAuthoritySigner(), await makeKeySigner()]
    const { trustedRoot, anyOf } = first.policy
    const both = requirePolicy([...anyOf, ...second.policy.anyOf], { trustedRoot, minSigners: 2 })
    const options = { ...(await base({ [FILE]: 'agent' })), signer: second, trust: trustOfPolicy(both) }
    await expect(publish(options, never)).rejects.toMatchObject({ code: 'signers-too-few' })
  })
})

describe('publishing again', () => {
  test('the same files changes not one byte of the site', async () => {
    const origins = [{ url: 'https://cdn.acme.test/', tier: 'cdn', operator: undefined, region: 'eu', id: 'eu' }] as const
    const options = { ...(await base({ [FILE]: bytesOf(100_000), 'tool-1.0.tgz': 'tool' })), origins }
    await publish(options, never)
    const before = await snapshotOf(options.site)
    const report = await publish(options, never)
    expect(report.isNew).toBe(false)
    expect(report.artifacts.every(({ isNew }) => !isNew)).toBe(true)
    expect(await snapshotOf(options.site)).toEqual(before)
  })

  test('renews a catalogue that is past half of its life, with a higher version and a way back', async () => {
    const clock = stoppedClock()
    const options = { ...(await base({ [FILE]: 'agent' })), clock, lifetimeSeconds: 1000 }
    await publish(options, never)
    const first = await catalogueOf(options.site)
    const file = await readFile(join(options.site, 'catalogue.json'))
    clock.advance(600)
    expect((await publish(options, never)).isNew).toBe(true)
    const second = await catalogueOf(options.site)
    expect(second).toMatchObject({ version: first.version + 600, expiresAtSeconds: first.expiresAtSeconds + 600 })
    expect(second.artifacts).toEqual(first.artifacts)
    const { payload } = parseCatalogueEnvelope(file)
    expect(second.previous).toEqual({ version: first.version, sha256: sha256Of(payload) })
    expect(await readFile(join(options.site, 'by-hash', 'sha256', sha256Of(payload)))).toEqual(Buffer.from(payload))
    expect(await readFile(join(options.site, 'by-hash', 'sha256', sha256Of(file)))).toEqual(file)
  })

  test('raises the version even when the clock went back', async () => {
    const clock = stoppedClock()
    const options = { ...(await base({ [FILE]: 'agent' })), clock }
    await publish(options, never)
    clock.advance(-5000)
    await publish({ ...options, settings: { channel: 'beta' } }, never)
    expect((await catalogueOf(options.site)).version).toBe(1_800_000_001)
  })

  test('keeps what was published before, and links each version to the one before it', async () => {
    const options = await base({ [FILE]: 'agent' })
    await publish(options, never)
    const old = (await catalogueOf(options.site)).artifacts[0]
    const dir = await makeFolder({ 'edge-agent-1.3.0-linux-amd64.tar.gz': 'newer agent' })
    await publish({ ...options, dir }, never)
    const { artifacts } = await catalogueOf(options.site)
    expect(artifacts.map(({ version }) => version)).toEqual(['1.2.3', '1.3.0'])
    const newest = artifacts[1]
    if (newest === undefined || old === undefined) throw new Error('expected two entries')
    const manifest = parseManifest(await readSiteIn(options.site).readBlob(newest.manifest, 'manifest', never))
    expect(manifest.previous).toEqual({ version: '1.2.3', sha256: old.manifest.sha256 })
  })

  test('with replacement lists only the new files', async () => {
    const options = await base({ [FILE]: 'agent' })
    await publish(options, never)
    await publish({ ...options, dir: await makeFolder({ 'tool-1.0.tgz': 'tool' }), replace: true }, never)
    expect((await catalogueOf(options.site)).artifacts.map(({ name }) => name)).toEqual(['tool'])
  })

  test('refuses other bytes under a published version, unless they are to replace it', async () => {
    const options = await base({ [FILE]: 'agent' })
    await publish(options, never)
    const changed = { ...options, dir: await makeFolder({ [FILE]: 'another agent' }) }
    await expect(publish(changed, never)).rejects.toMatchObject({ code: 'publish-conflict', failure: { name: 'edge-agent' } })
    await publish({ ...changed, replace: true }, never)
    expect((await catalogueOf(options.site)).artifacts[0]?.artifact.sha256).toBe(sha256Of(Buffer.from('another agent')))
  })

  test('puts back a blob that was altered on disk', async () => {
    const options = await base({ [FILE]: 'agent' })
    await publish(options, never)
    const blob = join(options.site, 'by-hash', 'sha256', sha256Of(Buffer.from('agent')))
    await writeFile(blob, 'AGENT')
    await publish(options, never)
    expect(await readFile(blob, 'utf8')).toBe('agent')
  })

  test('denies a digest for good', async () => {
    const options = await base({ [FILE]: 'agent' })
    const denied = toSha256('a'.repeat(64))
    await publish({ ...options, denied: [denied] }, never)
    await publish({ ...options, settings: { channel: 'beta' } }, never)
    expect((await catalogueOf(options.site)).denied).toEqual([denied])
  })

  test('does not sign the entries of a catalogue that somebody else signed', async () => {
    const options = await base({ [FILE]: 'agent' })
    await publish({ ...options, signer: await makeKeySigner() }, never)
    const before = await snapshotOf(options.site)
    const other = { ...options, dir: await makeFolder({ 'tool-1.0.tgz': 'tool' }) }
    await expect(publish(other, never)).rejects.toMatchObject({ code: 'publish-conflict', failure: { name: 'catalogue.json' } })
    expect(await snapshotOf(options.site)).toEqual(before)
    await publish({ ...other, replace: true }, never)
    expect((await catalogueOf(options.site)).artifacts.map(({ name }) => name)).toEqual(['tool'])
  })
})

test('a site of another repository is not taken over', async () => {
  const options = await base({ [FILE]: 'agent' })
  await publish(options, never)
  await expect(publish({ ...options, repository: 'other' }, never)).rejects.toMatchObject({ code: 'publish-conflict' })
  expect((await catalogueOf(options.site)).repository).toBe('acme')
})

describe('nothing becomes visible', () => {
  test('of a file that changed after it was cut', async () => {
    const [dir, root] = [await makeFolder({ [FILE]: 'changed' }), await temporaryFolder()]
    const blob = { sha256: sha256Of(Buffer.from('agent')), sizeBytes: 5 }
    await expect(writeSite(root).putFile(join(dir, FILE), blob, never)).rejects.toMatchObject({ code: 'input-invalid' })
    expect(await snapshotOf(root)).toEqual(new Map())
  })

  test('when it is cancelled in the middle, and the reason comes out unchanged', async () => {
    const options = await base({ [FILE]: 'agent' })
    await publish(options, never)
    const before = await readFile(join(options.site, 'catalogue.json'))
    const dir = await makeFolder({ 'a-1.0.tgz': bytesOf(300_000), 'b-1.0.tgz': bytesOf(5 * MIB) })
    const stop = new AbortController()
    const reason = new Error('stopped by the user')
    const running = publish({ ...options, dir, onArtifact: () => stop.abort(reason) }, stop.signal)
    await expect(running).rejects.toBe(reason)
    expect(await readFile(join(options.site, 'catalogue.json'))).toEqual(before)
    expect(unfinished(await snapshotOf(options.site))).toEqual([])
  })

  test('while a large file is being copied', async () => {
    const options = await base({ [FILE]: bytesOf(8 * MIB) })
    const stop = new AbortController()
    const reason = new Error('stopped by the user')
    let reads = 0
    // The signal is looked at for each chunk: it fires in the second reading of the file, which is the copy.
    const signal = Object.assign(stop.signal, { throwIfAborted: () => void (++reads > 14 && (stop.abort(reason), raise(reason))) })
    await expect(publish(options, signal)).rejects.toBe(reason)
    expect([...(await snapshotOf(options.site)).keys()]).toEqual([])
  })

  test('when the signature would not be accepted', async () => {
    const options = await base({ [FILE]: 'agent' })
    const trust = trustOfPolicy((await makeKeySigner()).policy)
    await expect(publish({ ...options, trust }, never)).rejects.toMatchObject({ code: 'signature-invalid' })
    await expect(stat(join(options.site, 'catalogue.json'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('when a bundle beside a file speaks for other bytes', async () => {
    const ci = await makeAuthoritySigner()
    const bundle = await ci.signContent(contentOfBytes(Buffer.from('other bytes')), never)
    const options = { ...(await base({ [FILE]: 'agent', [`${FILE}.sigstore.json`]: bundle })), signer: ci }
    await expect(publish(options, never)).rejects.toMatchObject({ code: 'subject-mismatch' })
  })
})

describe('signing elsewhere, in two steps', () => {
  test('prepares the payload, and takes the signature that is made over it', async () => {
    const { options, signer } = await prepared()
    const { payload, isNew } = await preparePublish(options, never)
    expect(isNew).toBe(true)
    await expect(stat(join(options.site, 'catalogue.json'))).rejects.toMatchObject({ code: 'ENOENT' })
    const bundle = await signer.signContent(contentOfBytes(payload), never)
    await attachCatalogue({ site: options.site, payload, bundles: [bundle], trust: trustOfPolicy(signer.policy) }, never)
    expect((await catalogueOf(options.site)).artifacts.map(({ name }) => name)).toEqual(['edge-agent'])
    expect((await preparePublish(options, never)).isNew).toBe(false)
  })

  test('refuses a signature by somebody else, and one over another payload', async () => {
    const { options, signer } = await prepared()
    const { payload } = await preparePublish(options, never)
    const trust = trustOfPolicy(signer.policy)
    const foreign = await (await makeAuthoritySigner(OTHER_CLAIMS)).signContent(contentOfBytes(payload), never)
    await expect(attachCatalogue({ site: options.site, payload, bundles: [foreign], trust }, never)).rejects.toMatchObject({
      name: 'DeliveryError',
    })
    const bundle = await signer.signContent(contentOfBytes(Buffer.from('{}')), never)
    await expect(attachCatalogue({ site: options.site, payload, bundles: [bundle], trust }, never)).rejects.toMatchObject({
      code: 'subject-mismatch',
    })
    await expect(stat(join(options.site, 'catalogue.json'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('refuses a payload that the site has moved on from', async () => {
    const { options, signer } = await prepared()
    const { payload } = await preparePublish(options, never)
    const bundle = await signer.signContent(contentOfBytes(payload), never)
    await publish({ ...options, signer }, never)
    const attach = attachCatalogue({ site: options.site, payload, bundles: [bundle], trust: trustOfPolicy(signer.policy) }, never)
    await expect(attach).rejects.toMatchObject({ code: 'publish-conflict' })
  })

  test('refuses a payload whose artifact is no longer whole', async () => {
    const { options, signer } = await prepared()
    const { payload } = await preparePublish(options, never)
    await appendFile(join(options.site, 'by-hash', 'sha256', sha256Of(Buffer.from('agent'))), '!')
    const bundle = await signer.signContent(contentOfBytes(payload), never)
    const attach = attachCatalogue({ site: options.site, payload, bundles: [bundle], trust: trustOfPolicy(signer.policy) }, never)
    await expect(attach).rejects.toMatchObject({ code: 'artifact-size' })
  })

  test('needs bundles beside the files, and somebody to trust', async () => {
    const { options } = await prepared()
    await rm(join(options.dir, `${FILE}.sigstore.json`))
    await expect(preparePublish(options, never)).rejects.toMatchObject({ code: 'signature-missing' })
    await expect(preparePublish({ ...options, trust: undefined }, never)).rejects.toMatchObject({ code: 'policy-missing' })
  })

  async function prepared() {
    const signer = await makeAuthoritySigner()
    const bundle = await signer.signContent(contentOfBytes(Buffer.from('agent')), never)
    const dir = await makeFolder({ [FILE]: 'agent', [`${FILE}.sigstore.json`]: bundle })
    const options: PublishOptions = {
      dir,
      site: join(await temporaryFolder(), 'site'),
      repository: 'acme',
      trust: trustOfPolicy(signer.policy),
    }
    return { options, signer }
  }
})

describe('a folder is refused', () => {
  test.each<[string, Readonly<Record<string, string>>, string]>([
    ['without a file', { '.hidden': 'x' }, 'no file'],
    ['with a file whose name has no version', { 'agent.tar.gz': 'x' }, 'no version'],
    ['with a bundle that signs nothing', { [FILE]: 'x', 'b-1.0.tgz.sigstore.json': '{}' }, 'without the file'],
    ['with two files for one release', { 'a/tool-1.0.tgz': 'x', 'b/tool-1.0.tgz': 'y' }, 'and so does'],
    ['with settings for a file that is not there', { [FILE]: 'x', 'sealift.publish.json': '{"files":{"agnet":{}}}' }, 'agnet'],
    ['with a misspelt setting', { [FILE]: 'x', 'sealift.publish.json': '{"defaults":{"chanel":"beta"}}' }, 'chanel'],
    ['with settings that are not JSON', { [FILE]: 'x', 'sealift.publish.json': '{' }, 'JSON'],
    ['with a bundle that is none', { [FILE]: 'x', [`${FILE}.sigstore.json`]: '{"base64Signature":"x"}' }, 'not a Sigstore bundle'],
  ])('%s', async (_, files, words) => {
    const attempt = publish(await base(files), never)
    await expect(attempt).rejects.toMatchObject({ code: 'input-invalid', message: expect.stringContaining(words) })
  })

  test.each([
    ['an alias that is no URL', { aliases: ['agent.tgz'] }],
    ['a roll-out to more than all', { rollout: 101 }],
    ['a platform without an architecture', { platform: 'linux' }],
    ['a channel in capitals', { channel: 'Beta' }],
    ['a media type without a slash', { mediaType: 'gzip' }],
  ])('with %s', async (_, settings) => {
    const options = await base({ [FILE]: 'x' })
    await expect(publish({ ...options, settings }, never)).rejects.toMatchObject({ code: 'input-invalid' })
    await expect(stat(join(options.site, 'catalogue.json'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('that is not there', async () => {
    await expect(publish({ ...(await base({})), dir: '/nonexistent/folder' }, never)).rejects.toMatchObject({ code: 'input-invalid' })
  })

  test('with a piece length that is no power of two', async () => {
    await expect(publish({ ...(await base({ [FILE]: 'x' })), pieceLengthBytes: 100_000 }, never)).rejects.toMatchObject({
      code: 'input-invalid',
    })
  })
})

async function onlyManifest(site: string) {
  const [entry, ...others] = (await catalogueOf(site)).artifacts
  if (entry === undefined || others.length > 0) throw new Error('expected one entry')
  return parseManifest(await readSiteIn(site).readBlob(entry.manifest, 'manifest', never))
}

function hashesOf(content: Buffer, lengthBytes: number): string {
  const count = Math.ceil(content.length / lengthBytes)
  const pieces = Array.from({ length: count }, (_, i) => content.subarray(i * lengthBytes, (i + 1) * lengthBytes))
  return pieces.map((piece) => createHash('sha256').update(piece).digest('hex')).join('')
}

function unfinished(files: ReadonlyMap<string, string>): readonly string[] {
  return [...files.keys()].filter((path) => path.includes('.part'))
}

function raise(reason: Error): never {
  throw reason
}
