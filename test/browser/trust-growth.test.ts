import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { openAuthority } from '../../src/node/authority/authority.ts'
import { authoritySigner } from '../../src/node/publish/publish-signer.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { CLAIMS } from '../node/claims.ts'
import { publish } from '../../src/node/publish/publish.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createOfflineSigstore } from '../trust/offline-sigstore.ts'
import { serveRepository, TufRepository, type ServedRepository } from '../tuf/tuf-repository.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { FILES, javascript, startSite, type Publication, type Site } from './site.ts'
import { download, openPortal } from './visitor.ts'

const BYTES = seededBytes(3, FILES.notes.sizeBytes)

let dir: string
let chromium: LaunchedBrowser
let site: Site
let tuf: ServedRepository
let trust: object
let olderRoot: object
let refresh: object

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sealift-growth-'))
  const [inbox, siteDir] = [join(dir, 'inbox'), join(dir, 'site')]
  await mkdir(inbox)
  await writeFile(join(inbox, FILES.notes.filename), BYTES)
  const authority = await openAuthority(join(dir, 'authority'), { clock: systemClock })
  const signer = authoritySigner(authority, { claims: CLAIMS, clock: systemClock })
  await publish({ dir: inbox, site: siteDir, repository: 'acme', signer }, new AbortController().signal)
  const { anyOf, trustedRoot } = signer.policy
  // The portal was deployed when Sigstore had other keys; its repository has the newer ones.
  olderRoot = (await createOfflineSigstore()).trustedRoot as object
  const repository = new TufRepository()
  repository.rotate()
  repository.release({ target: trustedRoot as object })
  tuf = await serveRepository(repository)
  refresh = { url: tuf.url, root: repository.pinned() }
  trust = { catalogueSigners: anyOf.map((one) => (one.kind === 'certificate' ? { identity: one.identity, issuer: one.issuer } : {})) }
  const publication: Publication = {
    siteDir,
    digests: { notes: sha256Of(BYTES), agent: '', image: '' },
    signer: '',
    stranger: '',
    deny: () => Promise.reject(new Error('nothing is denied here')),
    remove: async () => await rm(dir, { recursive: true }),
  }
  site = await startSite(publication)
  chromium = await launchChromium()
})

afterAll(async () => {
  await chromium.close()
  await site.close()
  await tuf.close()
  await rm(dir, { recursive: true })
})

function configure(more: object): void {
  const config = { schema: 1, repository: 'acme', origins: [{ id: 'cdn', url: site.cdn.url }], trust: { ...trust, ...more } }
  site.files.set('/sealift.json', { type: 'application/json', body: JSON.stringify(config) })
}

test('what is signed under newer keys than the portal pins is delivered, with an engine under a strict policy and with the repository gone', async () => {
  const engine = site.files.get('/engine.js')?.body ?? ''
  site.files.set('/engine.js', javascript(engine, { 'content-security-policy': `script-src 'self'; connect-src *` }))
  configure({ trustedRoot: olderRoot })
  const first = await openPortal(chromium.browser, site.url)
  expect(await download(first, 'notes')).toMatchObject({ kind: 'refused', code: 'signature-invalid' })
  expect(tuf.asked).toEqual([])
  configure({ trustedRoot: olderRoot, refresh })
  await first.reload()
  const second = await openPortal(chromium.browser, site.url)
  expect(await download(second, 'notes')).toMatchObject({ kind: 'delivered', sha256: sha256Of(BYTES) })
  expect(tuf.asked).toContain('timestamp.json')
  await tuf.close()
  await second.evaluate(async () => await window.sealift?.forget())
  const third = await openPortal(chromium.browser, site.url)
  expect(await download(third, 'notes')).toMatchObject({ kind: 'delivered', sha256: sha256Of(BYTES) })
})
