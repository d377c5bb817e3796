import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { readPublishSettings } from '../../src/node/publish/publish-settings.ts'
import { readSite } from '../../src/node/site/site-reader.ts'
import { createSigstoreVerifier } from '../../src/trust/sigstore-verifier.ts'
import { findCatalogue } from '../../src/node/verify/find-catalogue.ts'
import { readConfig } from '../../src/node/verify/read-config.ts'
import { makeFolder, makeKeySigner, never } from './publish-fixture.ts'

const LONG = Buffer.alloc(LIMITS.catalogueBytes + 1, ' ')
const BLOB = { sha256: sha256Of(Buffer.from('signed')), sizeBytes: 6 }

const makeSite = () => makeFolder({ 'sealift.json': LONG, 'catalogue.json': LONG, [`by-hash/sha256/${BLOB.sha256}`]: LONG })

async function serve(): Promise<string> {
  const server = createServer((_, response) => void response.end(LONG)).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('expected a TCP address')
  return `http://127.0.0.1:${address.port}`
}

test.each([
  ['in a folder', makeSite],
  ['behind a URL', serve],
])('a document %s that is too long is named as what it is', async (_, make) => {
  const place = await make()
  const config = `${place}/sealift.json`
  await expect(readConfig(config, never)).rejects.toMatchObject({ failure: { code: 'config-invalid', path: config } })
  const site = readSite(place)
  const oversized = (document: string, limitBytes: number) => ({ failure: { code: 'format-oversized', document, limitBytes } })
  await expect(site.readCatalogue(never)).rejects.toMatchObject(oversized('catalogue', LIMITS.catalogueBytes))
  await expect(site.readBlob(BLOB, 'piece-list', never)).rejects.toMatchObject(oversized('piece-list', 6))
})

test.each([
  ['is too long', Buffer.alloc(2 ** 20 + 1, ' ')],
  ['is of a later schema', '{"schema":2}'],
  ['needs a member of a later version', '{"critical":["later"]}'],
  ['is no UTF-8', Buffer.from('{"defaults":{"name":"\xff"}}', 'latin1')],
])('a sealift.publish.json that %s is a fault of that file, and of nothing published', async (_, text) => {
  const dir = await makeFolder({ 'sealift.publish.json': text })
  const refusal: unknown = await readPublishSettings(dir).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(DeliveryError)
  expect(refusal).toMatchObject({ code: 'input-invalid', message: expect.stringContaining(join(dir, 'sealift.publish.json')) })
})

test('bytes that are no text, and places that all fail, are refused with what was thrown before', async () => {
  const dir = await makeFolder({ 'sealift.publish.json': Buffer.from([0xff]) })
  await expect(readPublishSettings(dir)).rejects.toMatchObject({
    code: 'input-invalid',
    cause: { code: 'ERR_ENCODING_INVALID_ENCODED_DATA' },
  })
  const sites = [await makeSite(), await makeSite()].map(readSite)
  const policy = (await makeKeySigner()).policy
  const search = { sites, policy, verifier: createSigstoreVerifier(), nowSeconds: 1_800_000_000, maxGraceSeconds: 0, minimumVersion: 0 }
  const refusal = findCatalogue({ ...search, repository: 'acme' }, never)
  const oversized = { code: 'format-oversized' }
  await expect(refusal).rejects.toMatchObject({ code: 'catalogue-unavailable', cause: { errors: [oversized, oversized] } })
})
