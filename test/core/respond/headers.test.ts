import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isFilename } from '../../../src/core/model/filename.ts'
import { answerArtifact, contentDisposition, safeMediaType } from '../../../src/core/respond/headers.ts'

const artifact = { filename: 'agent.tar.gz', mediaType: 'application/gzip', sizeBytes: 100 }

test('a verified artifact is a file to save, in a sandbox, kept by no cache', () => {
  expect(answerArtifact(artifact, { kind: 'whole' })).toEqual({
    status: 200,
    headers: {
      'accept-ranges': 'none',
      'cache-control': 'no-store',
      'content-disposition': `attachment; filename="agent.tar.gz"; filename*=UTF-8''agent.tar.gz`,
      'content-length': '100',
      'content-security-policy': "sandbox; default-src 'none'",
      'content-type': 'application/gzip',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    },
  })
})

test('a part says which, and a range that is not there says how long the artifact is', () => {
  const part = answerArtifact(artifact, { kind: 'part', range: { start: 10, end: 20 } })
  expect(part).toMatchObject({ status: 206, headers: { 'content-range': 'bytes 10-19/100', 'content-length': '10' } })
  expect(part.headers).not.toHaveProperty('accept-ranges')
  expect(answerArtifact(artifact, { kind: 'unsatisfiable' })).toMatchObject({
    status: 416,
    headers: { 'content-range': 'bytes */100', 'content-length': '0' },
  })
})

test('no answer lets a browser resume past the service worker', () => {
  for (const range of [{ kind: 'whole' }, { kind: 'part', range: { start: 0, end: 1 } }] as const) {
    const { headers } = answerArtifact(artifact, range)
    expect(headers['etag']).toBeUndefined()
    expect(headers['last-modified']).toBeUndefined()
    expect(headers['accept-ranges']).not.toBe('bytes')
  }
})

test.each([
  'text/html',
  'TEXT/HTML',
  'image/svg+xml',
  'application/xml',
  'text/xml',
  'application/xhtml+xml',
  'text/javascript',
  'application/javascript',
  'application/pdf',
  'text/css',
  'application/x-unknown',
])('%s is sent as bytes without a meaning', (mediaType) => {
  expect(safeMediaType(mediaType)).toBe('application/octet-stream')
})

test.each([
  ['naïve.bin', `attachment; filename="na_ve.bin"; filename*=UTF-8''na%C3%AFve.bin`],
  ['安装.msi', `attachment; filename="__.msi"; filename*=UTF-8''%E5%AE%89%E8%A3%85.msi`],
  ['😀.zip', `attachment; filename="_.zip"; filename*=UTF-8''%F0%9F%98%80.zip`],
  ["it's (1).zip", `attachment; filename="it's (1).zip"; filename*=UTF-8''it%27s%20%281%29.zip`],
  ['100%25.zip', `attachment; filename="100_25.zip"; filename*=UTF-8''100%2525.zip`],
])('%s is named in ASCII and in UTF-8', (filename, expected) => {
  expect(contentDisposition(filename)).toBe(expected)
})

test('no file name ends its header line or its quotes, and every one can be read back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), (filename) => {
      fc.pre(isFilename(filename))
      const header = contentDisposition(filename)
      expect(header).toMatch(/^attachment; filename="[^"\\\r\n]*"; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+$/)
      expect(decodeURIComponent(header.split("UTF-8''")[1] ?? '')).toBe(filename)
    }),
    { numRuns: 2000 },
  )
})

test('a name that no manifest may carry is a programmer’s mistake', () => {
  expect(() => contentDisposition('a\r\nSet-Cookie: b')).toThrow(TypeError)
})
