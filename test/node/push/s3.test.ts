import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { openTargets } from '../../../src/node/push/open-target.ts'
import { pushSite } from '../../../src/node/push/push.ts'
import { signV4 } from '../../../src/node/push/sigv4.ts'
import { catalogueOf, never } from '../publish-fixture.ts'
import { makeSite, pushOptions, soundVersion, startMirror, type Request } from './mirror-fixture.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const ENV = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: SECRET, AWS_SESSION_TOKEN: 'session', AWS_REGION: 'eu-central-1' }
const hex = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** By another program than the one that signs. */
function macOf(key: string, text: string): string {
  const out = execFileSync('openssl', ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${key}`], { input: text, encoding: 'utf8' })
  return out.trim().split(/\s+/).at(-1) ?? ''
}

/** What S3 asks of a request, from its raw parts. @returns why it is refused */
function refusalOf({ method, path, body, headers }: Request, prefix: string): string | undefined {
  const [, id, day = '', region = '', service = '', names = '', signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    ) ?? []
  if (id !== 'AKIDEXAMPLE' || region !== 'eu-central-1' || service !== 's3') return 'scope'
  for (const name of ['host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-security-token'])
    if (!names.split(';').includes(name)) return `${name} is not signed`
  if (headers['x-amz-content-sha256'] !== hex(body)) return 'body'
  const date = String(headers['x-amz-date'])
  if (Math.abs(Date.now() - Date.parse(date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'))) > 60_000) return 'clock'
  const lines = names.split(';').map((name) => `${name}:${String(headers[name])}\n`)
  const canonical = `${method}\n${prefix}${path}\n\n${lines.join('')}\n${names}\n${hex(body)}`
  const text = `AWS4-HMAC-SHA256\n${date}\n${day}/${region}/s3/aws4_request\n${hex(canonical)}`
  let key = Buffer.from(`AWS4${SECRET}`).toString('hex')
  for (const word of [day, region, service, 'aws4_request']) key = macOf(key, word)
  return macOf(key, text) === signature ? undefined : 'signature'
}

test('a store that checks every signature takes all of it, and its digests', async () => {
  const site = await makeSite()
  const prefix = '/releases/acme/a+b/'
  const refusals: string[] = []
  const store = await startMirror(prefix, (request, response) => {
    const refusal = refusalOf(request, prefix.replace('+', '%2B'))
    if (refusal === undefined) return false
    refusals.push(`${request.method} ${request.path}: ${refusal}`)
    response.writeHead(403).end()
    return true
  })
  const targets = openTargets(['s3://releases/acme/a+b'], { env: ENV, s3Endpoint: new URL(store.url).origin })
  const report = await pushSite({ ...pushOptions(site), site: site.site, targets }, never)
  expect(refusals).toEqual([])
  expect(report).toMatchObject({ isComplete: true, mirrors: [{ place: 's3://releases/acme/a+b', state: 'moved' }] })
  expect(await soundVersion(store.read)).toBe((await catalogueOf(site.site)).version)
  const put = store.requests.find(({ method, path }) => method === 'PUT' && path.startsWith('by-hash/'))
  expect(put?.headers).toMatchObject({ 'cache-control': 'public, max-age=31536000, immutable' })
})

test('with another key nothing is written, and no catalogue is overlooked', async () => {
  const site = await makeSite()
  const store = await startMirror('/releases/', (request, response) => {
    if (refusalOf(request, '/releases/') === undefined) return false
    response.writeHead(403).end()
    return true
  })
  const targets = openTargets(['s3://releases'], { env: { ...ENV, AWS_SECRET_ACCESS_KEY: 'wrong' }, s3Endpoint: new URL(store.url).origin })
  const report = await pushSite({ ...pushOptions(site), site: site.site, targets }, never)
  expect(report).toMatchObject({
    isComplete: false,
    mirrors: [{ trouble: { file: 'catalogue.json', failure: { code: 'source-status', status: 403 } } }],
  })
  expect(store.files.size).toBe(0)
})

// The signatures were computed from the documented requests with Python's hmac module; they are those that the documentation prints.
describe('signs as documented', () => {
  const EMPTY = hex('')
  const s3 = {
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: SECRET, sessionToken: undefined },
    region: 'us-east-1',
    service: 's3',
    nowMs: Date.UTC(2013, 4, 24),
  }
  test.each([
    [
      'a plain request',
      { method: 'GET', url: new URL('https://example.amazonaws.com/'), headers: {}, payloadSha256: EMPTY },
      {
        ...s3,
        service: 'service',
        nowMs: Date.UTC(2015, 7, 30, 12, 36),
        credentials: { ...s3.credentials, secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
      },
      '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    ],
    [
      'a range of an object',
      {
        method: 'GET',
        url: new URL('https://examplebucket.s3.amazonaws.com/test.txt'),
        headers: { range: 'bytes=0-9', 'x-amz-content-sha256': EMPTY },
        payloadSha256: EMPTY,
      },
      s3,
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ],
    [
      'an object whose name has to be encoded',
      {
        method: 'PUT',
        url: new URL('https://examplebucket.s3.amazonaws.com/test%24file.text'),
        headers: {
          date: 'Fri, 24 May 2013 00:00:00 GMT',
          'x-amz-storage-class': 'REDUCED_REDUNDANCY',
          'x-amz-content-sha256': hex('Welcome to Amazon S3.'),
        },
        payloadSha256: hex('Welcome to Amazon S3.'),
      },
      s3,
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ],
  ])('%s', (_, request, scope, signature) => {
    expect(signV4(request, scope)['authorization']).toContain(`Signature=${signature}`)
  })
})
