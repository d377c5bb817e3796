import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeSiteConfig } from '../../src/core/manifest/encode-site-config.ts'
import { parseSiteConfig } from '../../src/core/manifest/parse-site-config.ts'
import { writeTrust } from '../../src/core/manifest/trust-field.ts'
import { toSha256 } from '../../src/core/model/ids.ts'
import { keySigner } from '../../src/node/publish/publish-signer.ts'
import { publish } from '../../src/node/publish/publish.ts'
import type { SigningKey } from '../../src/node/signing/signing-key.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { newSigningKey, trustIn, updateFile, updatesBy } from '../trust/trust-updates.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { FILES, publishFiles, startSite, type Publication, type Site } from './site.ts'
import { download, fetchIn, kept, openPortal } from './visitor.ts'

const never = new AbortController().signal
const [old, fresh, alice, bob] = [newSigningKey(), newSigningKey(), newSigningKey(), newSigningKey()]
const PINNED = trustIn(old, updatesBy([alice, bob], 2))

let dir: string
let publication: Publication
let site: Site
let chromium: LaunchedBrowser

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sealift-trust-'))
  ;[publication, chromium] = await Promise.all([publishFiles(), launchChromium()])
  site = await startSite(publication)
})

afterAll(async () => {
  await chromium.close()
  await site.close()
  await publication.remove()
  await rm(dir, { recursive: true, force: true })
})

/** A layout of two files under a key, so many seconds old, whose catalogue is asked for again at once. */
async function layoutBy(key: SigningKey, name: string, agoSeconds: number): Promise<string> {
  const target = join(dir, name)
  const clock = { ...systemClock, nowMs: () => Date.now() - agoSeconds * 1000 }
  await publish({ dir: join(dir, 'inbox'), site: target, repository: 'acme', signer: keySigner(key), refreshSeconds: 0, clock }, never)
  return target
}

test('after a rotation between two visits the old key counts no more, and what was denied is gone from the disk', async () => {
  await mkdir(join(dir, 'inbox'))
  const [notes, agent] = [Buffer.alloc(300_000, 1), Buffer.alloc(400_000, 2)]
  await writeFile(join(dir, 'inbox', FILES.notes.filename), notes)
  await writeFile(join(dir, 'inbox', FILES.agent.filename), agent)
  const digest = async (bytes: Buffer) =>
    toSha256(Buffer.from(await crypto.subtle.digest('SHA-256', new Uint8Array(bytes))).toString('hex'))
  const [notesSha256, agentSha256] = [await digest(notes), await digest(agent)]
  const config = { schema: 1, repository: 'acme', origins: [{ id: 'cdn', url: site.cdn.url }], trust: writeTrust(PINNED) }
  const body = Buffer.from(encodeSiteConfig(parseSiteConfig(Buffer.from(JSON.stringify(config)), site.url))).toString()
  site.files.set('/sealift.json', { type: 'application/json', body })
  site.cdn.serve(await layoutBy(old, 'before', 300))

  const first = await openPortal(chromium.browser, site.url)
  expect(await download(first, 'notes')).toMatchObject({ kind: 'delivered', sha256: notesSha256 })
  expect(await download(first, 'agent')).toMatchObject({ kind: 'delivered', sha256: agentSha256 })
  const isKept = async (sha256: string): Promise<boolean> => (await kept(first)).files.some((file) => file.includes(sha256))
  expect([await isKept(notesSha256), await isKept(agentSha256)]).toEqual([true, true])

  const rotated = await layoutBy(fresh, 'rotated', 200)
  await mkdir(join(rotated, 'trust'))
  const update = { version: 1, trust: trustIn(fresh, PINNED.updates), denied: [agentSha256] }
  await writeFile(join(rotated, 'trust', '1.json'), await updateFile(update, [alice, bob]))
  site.cdn.serve(rotated)
  const second = await openPortal(chromium.browser, site.url)
  expect(await download(second, 'notes')).toMatchObject({ kind: 'delivered', sha256: notesSha256 })
  const seenMs = performance.now()
  await expect.poll(() => isKept(agentSha256), { interval: 50, timeout: 5000 }).toBe(false)
  expect(performance.now() - seenMs).toBeLessThan(1000)
  expect(await download(second, agentSha256)).toMatchObject({ kind: 'refused', code: 'artifact-denied' })

  // The thief publishes once more, and the page that was open all the time must not fall for it either.
  site.cdn.serve(await layoutBy(old, 'stolen', 100))
  const signers = (page: typeof first) => page.evaluate(async () => (await window.sealift?.list())?.catalogue.signedBy.signer)
  for (const page of [first, second]) {
    expect(await download(page, agentSha256)).toMatchObject({ kind: 'refused', code: 'artifact-denied' })
    expect(await signers(page)).toEqual({ kind: 'key', publicKeyPem: fresh.publicKeyPem })
  }

  // In an outage, with no page open but a new one, and through the service worker.
  await second.close()
  await site.cdn.set('down')
  const offline = await openPortal(chromium.browser, site.url)
  expect(await download(offline, 'notes')).toMatchObject({ kind: 'delivered', sha256: notesSha256 })
  expect(await download(offline, agentSha256)).toMatchObject({ kind: 'refused', code: 'artifact-denied' })
  const answer = await fetchIn(offline, `/_sealift/sha256/${agentSha256}/${FILES.agent.filename}`)
  expect([answer?.status, answer?.headers['sealift-code']]).toEqual([410, 'artifact-denied'])
  expect(await fetchIn(offline, `/_sealift/sha256/${notesSha256}/${FILES.notes.filename}`)).toMatchObject({
    status: 200,
    sha256: notesSha256,
  })
})
