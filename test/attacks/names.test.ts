import { basename, posix, win32 } from 'node:path'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { failureOf } from '../../src/core/errors.ts'
import { encodeManifest, parseManifest } from '../../src/core/manifest/parse-manifest.ts'
import { isFilename } from '../../src/core/model/filename.ts'
import { toSha256 } from '../../src/core/model/ids.ts'
import { contentDisposition } from '../../src/core/respond/headers.ts'
import { formatVirtualUrl, parseVirtualUrl } from '../../src/core/respond/virtual-url.ts'
import { sampleManifest, utf8 } from '../core/manifest/samples.ts'

/** Raise it for a longer hunt: `SEALIFT_RUNS=5000000 npx vitest run test/attacks/names.test.ts`. */
const RUNS = Number(process.env['SEALIFT_RUNS'] ?? 100_000)

vi.setConfig({ testTimeout: Math.max(60_000, RUNS) })

/** What names have been made of to leave a folder, to end a header, to look like another, or to be no file. */
const PARTS = [
  ['../', '..\\', '/', '\\', '..', '.', './', '~', 'c:', '\\\\?\\', '%2e%2e%2f', '%00', '%', '+'],
  ['\r\n', '\r', '\n', '\0', '\t', '"', "'", ';', '=', '`', '$(x)', '|', '<script>', '>', '*', '?', '#', '&', ':'],
  [
    '\u202E',
    '\u202A',
    '\u2066',
    '\u2069',
    '\u200E',
    '\u200B',
    '\uFEFF',
    '\u2028',
    '\u0085',
    '\u007F',
    '\uD800',
    '\uDC00',
    '\uE000',
    '\u3164',
    '\u2065',
    '\u034F',
  ],
  ['CON', 'nul', 'com1', 'COM¹', 'lpt9', 'aux.', 'prn ', 'conin$', ' ', '  ', '\u00A0', '\u3000', '／', '．．', '‥'],
  ['a', 'agent', '.tar.gz', '.exe', 'fdp.exe', 'é', 'é', '安装', '😀', 'ß', 'İ', 'x'.repeat(120)],
].flat()
const name = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.constantFrom(...PARTS), { maxLength: 6 }).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
)
const SHA256 = toSha256('5'.repeat(64))
const SCOPE = 'https://portal.example/'
const DANGEROUS =
  /[\p{Cc}\p{Cs}\p{Co}\u034F/\\:*?"<>|\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF\u115F\u1160\u3164\uFFA0\uFFF0-\uFFFB\u{E0000}-\u{E0FFF}]/u
const DEVICES = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)/i

test('co11.names: of 100,000 hostile names each is refused by the manifest, or is one plain file wherever it is written', () => {
  const counts = { refused: 0, taken: 0 }
  const manifest: Record<string, unknown> = JSON.parse(new TextDecoder().decode(encodeManifest(sampleManifest())))
  fc.assert(
    fc.property(name, (filename) => {
      if (!isFilename(filename)) {
        counts.refused++
        return
      }
      counts.taken++
      const wrong = faultsOf(filename)
      if (wrong.length > 0) throw new Error(`${JSON.stringify(filename)} ${wrong.join(', ')}`)
    }),
    { numRuns: RUNS },
  )
  // Both happen, or nothing was tried.
  expect(counts.refused).toBeGreaterThan(RUNS / 10)
  expect(counts.taken).toBeGreaterThan(RUNS / 100)
  fc.assert(
    fc.property(name, (filename) => {
      const bytes = utf8(JSON.stringify({ ...manifest, filename }))
      expect(manifestTakes(bytes)).toBe(isFilename(filename))
    }),
    { numRuns: RUNS / 50 },
  )
})

function manifestTakes(bytes: Uint8Array): boolean {
  try {
    parseManifest(bytes)
    return true
  } catch (error) {
    if (failureOf(error)?.code !== 'format-invalid') throw error
    return false
  }
}

/** Plain comparisons: a hundred thousand times `expect` costs more than what it looks at. */
function faultsOf(filename: string): readonly string[] {
  const header = contentDisposition(filename)
  const url = new URL(formatVirtualUrl({ kind: 'digest', sha256: SHA256, filename }, SCOPE)).href
  const checks: Readonly<Record<string, boolean>> = {
    'holds a character that is not shown, or parts a path': !DANGEROUS.test(filename),
    'is a device': !DEVICES.test(filename),
    'begins or ends as Windows does not keep it': !/^[. ]|[. ]$/.test(filename),
    'leaves its folder': posix.join('/down', filename) === `/down/${filename}` && basename(filename) === filename,
    'leaves its folder on Windows': win32.join('c:\\down', filename) === `c:\\down\\${filename}`,
    'breaks its header': /^attachment; filename="[ !#-[\]-~]*"; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+$/.test(header),
    'is another in its header': decodeURIComponent(header.split("UTF-8''")[1] ?? '') === filename,
    'is another in its URL': parseVirtualUrl(url, SCOPE)?.filename === filename,
  }
  return Object.entries(checks).flatMap(([fault, isFine]) => (isFine ? [] : [fault]))
}
