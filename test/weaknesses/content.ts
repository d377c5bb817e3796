import { testsOf, type Weakness } from '../planting/weakness.ts'

const inEngine = testsOf('test/attacks/content.test.ts')
const inBrowser = testsOf('test/browser/attacks.test.ts', 'browser')

export const weaknesses: readonly Weakness[] = [
  {
    name: 'co01-flip',
    file: 'src/core/verify/piece.ts',
    find: 'if (actual !== expected) throw',
    replace: 'if (actual.length !== expected.length) throw',
    tests: [inEngine('co01.flip')],
  },
  {
    name: 'co02-length',
    file: 'src/sources/http/accept.ts',
    find: 'if (accepted.includes(status)) return undefined',
    replace: 'if (response.ok) return undefined',
    tests: [inBrowser('co02.length')],
    needsBuild: true,
  },
  {
    name: 'co02-length-one-more',
    file: 'src/sources/http/body.ts',
    find: 'if (length > limit) throw wrongLength(answer, limit, length)',
    replace: 'if (length > limit) return yield chunk.subarray(0, chunk.length - (length - limit))',
    tests: [inBrowser('co02.length')],
    needsBuild: true,
  },
  {
    name: 'co03-html200',
    file: 'src/sources/http/accept.ts',
    find: "type.startsWith('text/html') || ",
    replace: '',
    tests: [inEngine('co03.html200')],
  },
  {
    name: 'co04-range-table',
    file: 'src/sources/http/accept.ts',
    find: 'if (actual === null || actual.trim() === expected) return undefined',
    replace: "if (actual === null || actual.startsWith('bytes ')) return undefined",
    tests: [inEngine('co04.range-table')],
  },
  {
    name: 'co04-range-table-ignored',
    file: 'src/sources/http/accept.ts',
    find: 'if (range.start !== 0) return',
    replace: 'if (range.start < 0) return',
    tests: [{ project: 'unit', file: 'test/sources/http/http-source.test.ts', named: 'refuses a 200 answer to a range request' }],
  },
  {
    name: 'co05-gzip',
    file: 'src/sources/http/body.ts',
    find: 'const limit = expected.expectedBytes ?? Number.POSITIVE_INFINITY',
    replace: "const limit = Number(answer.response.headers.get('content-length') ?? expected.expectedBytes ?? Number.POSITIVE_INFINITY)",
    tests: [inEngine('co05.gzip:')],
  },
  {
    name: 'co05-gzip-range',
    file: 'src/sources/http/accept.ts',
    find: 'if (actual === null || actual.trim() === expected) return undefined',
    replace: "if (actual === null || actual.startsWith(expected.slice(0, expected.indexOf('-')))) return undefined",
    tests: [inEngine('co05.gzip-range')],
  },
  {
    name: 'co06-bomb',
    file: 'src/sources/http/body.ts',
    find: 'if (length > limit) throw wrongLength(answer, limit, length)',
    replace: 'if (length > limit) continue',
    tests: [inEngine('co06.bomb')],
  },
  {
    name: 'co07-redirect',
    file: 'src/sources/http/request.ts',
    find: "? 'manual' : 'follow'",
    replace: "? 'follow' : 'follow'",
    tests: [inEngine('co07.redirect')],
  },
  {
    name: 'co08-piece-list',
    file: 'src/engine/deliver.ts',
    find: "      if (failureOf(error)?.code !== 'store-tampered'",
    replace:
      "      if (failureOf(error)?.code === 'artifact-digest') return await file.complete(signal)\n      if (failureOf(error)?.code !== 'store-tampered'",
    tests: [{ project: 'unit', file: 'test/engine/artifact.test.ts', named: 'co08.piece-list' }],
  },
  {
    name: 'co09-sizes',
    file: 'src/core/model/artifact.ts',
    find: 'Math.min(start + artifact.pieces.lengthBytes, artifact.sizeBytes)',
    replace: 'Math.min(start + artifact.pieces.lengthBytes, Math.max(artifact.sizeBytes, 2))',
    tests: [inEngine('co09.sizes')],
  },
  {
    name: 'co10-headers',
    file: 'src/core/respond/headers.ts',
    find: "INERT_TYPES.has(type) ? type : 'application/octet-stream'",
    replace: 'INERT_TYPES.has(type) ? type : mediaType',
    tests: [inBrowser('co10.headers')],
    needsBuild: true,
  },
  {
    name: 'co11-names',
    file: 'src/core/model/filename.ts',
    find: String.raw`\p{Cf}`,
    replace: '',
    tests: [{ project: 'unit', file: 'test/attacks/names.test.ts', named: 'co11.names' }],
  },
  {
    name: 'co12-tamper-after-verify',
    file: 'src/engine/deliver.ts',
    find: 'if (!wasLocked) {',
    replace: 'if (!wasLocked && isFetched) {',
    tests: [inBrowser('co12.tamper-after-verify')],
    needsBuild: true,
  },
]
