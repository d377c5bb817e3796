import { readFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { encodeAuditRecord } from '../../src/core/audit/encode-audit-record.ts'
import { parseAuditRecord } from '../../src/core/audit/parse-audit-record.ts'
import { HANDLING } from '../../src/core/errors.ts'
import { encodeCatalogue, parseCatalogue } from '../../src/core/manifest/parse-catalogue.ts'
import { parseCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import { encodeManifest, parseManifest, parsePieceList } from '../../src/core/manifest/parse-manifest.ts'
import { encodeSiteConfig } from '../../src/core/manifest/encode-site-config.ts'
import { parseSiteConfig } from '../../src/core/manifest/parse-site-config.ts'
import { failureFrom } from './manifest/outcome.ts'
import { utf8 } from './manifest/samples.ts'

interface Example {
  /** What follows the language after the opening fence. */
  readonly labels: readonly string[]
  readonly text: string
}

const page = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

/** Labelled code blocks of a page; a block without a label is not one of ours to read. */
function examplesOf(name: string): readonly Example[] {
  return [...page(name).matchAll(/^```\w+ ([^\n]+)\n(.*?)\n```$/gms)].map(([, labels = '', text = '']) => ({
    labels: labels.split(' '),
    text,
  }))
}

function example(name: string, label: string): string {
  const found = examplesOf(name).find(({ labels }) => labels.join(' ') === label)
  if (found === undefined) throw new RangeError(`docs/${name} has no example ${label}`)
  return found.text
}

const parsers: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  envelope: parseCatalogueEnvelope,
  payload: parseCatalogue,
  catalogue: parseCatalogue,
  manifest: parseManifest,
  'audit-record': parseAuditRecord,
  'site-config': (bytes) => parseSiteConfig(bytes, 'https://portal.example/sealift.json'),
  'piece-list': (bytes) => parsePieceList(Buffer.from(bytes.toString(), 'hex'), 2),
}

describe.each(['catalogue-format.md', 'manifest-format.md', 'audit-record.md', 'site-config.md'])('docs/%s', (name) => {
  test.each(examplesOf(name).filter(({ labels }) => labels[0] !== 'piece-list' && labels[0] !== 'run'))(
    'has an example that is what it says: $labels',
    ({ labels, text }) => {
      const [kind = '', verdict, code, path] = labels
      const parse = parsers[kind]
      if (parse === undefined) throw new RangeError(`no parser for ${kind}`)
      const failure = failureFrom(() => parse(utf8(text)))
      if (verdict !== 'refused') expect(failure).toBeUndefined()
      else expect(failure).toMatchObject(path === undefined ? { code } : { code, path })
    },
  )
})

test('the envelope of the catalogue page holds the very bytes of its payload, whose digest is given', () => {
  const payload = example('catalogue-format.md', 'payload')
  const envelope = parseCatalogueEnvelope(utf8(example('catalogue-format.md', 'envelope')))
  expect(Buffer.from(envelope.payload).toString()).toBe(payload)
  expect(envelope.bundles).toHaveLength(1)
  expect(page('catalogue-format.md')).toContain(`${payload.length} of them, SHA-256 \`${sha256(payload)}\``)
  expect(encodeCatalogue(parseCatalogue(utf8(payload)))).toEqual(utf8(payload))
})

test('the two zeroed pieces of the manifest page have the hashes, the list and the manifests that it shows', () => {
  const artifact = new Uint8Array(65_537)
  const list = Buffer.from(example('manifest-format.md', 'piece-list').replaceAll('\n', ''), 'hex')
  expect(list.toString('hex')).toBe(sha256(artifact.subarray(0, 65_536)) + sha256(artifact.subarray(65_536)))
  expect(parsePieceList(list, 2)).toHaveLength(64)
  const [inline, listed] = ['inline', 'listed'].map((label) => example('manifest-format.md', `manifest ${label}`))
  const carried = parseManifest(utf8(inline ?? ''))
  const named = parseManifest(utf8(listed ?? ''))
  expect(carried.sha256).toBe(sha256(artifact))
  expect(carried.pieces).toEqual({ kind: 'inline', lengthBytes: 65_536, count: 2, hashes: new Uint8Array(list) })
  expect(named.pieces).toEqual({ kind: 'listed', lengthBytes: 65_536, count: 2, list: { sha256: sha256(list), sizeBytes: 64 } })
  expect(encodeManifest(carried)).toEqual(utf8(inline ?? ''))
  expect(page('manifest-format.md')).toContain(`${inline?.length} bytes, SHA-256 \`${sha256(inline ?? '')}\``)
})

test('the catalogue page names the inline manifest of the manifest page', () => {
  const manifest = example('manifest-format.md', 'manifest inline')
  const [entry] = parseCatalogue(utf8(example('catalogue-format.md', 'payload'))).artifacts
  expect(entry?.manifest).toEqual({ sha256: sha256(manifest), sizeBytes: manifest.length })
})

test('the audit page shows a record byte for byte', () => {
  const record = example('audit-record.md', 'audit-record')
  expect(encodeAuditRecord(parseAuditRecord(utf8(record)))).toEqual(utf8(record))
  expect(page('audit-record.md')).toContain(`${record.length} bytes, SHA-256 \`${sha256(record)}\``)
})

test('the configuration page shows a file as it is written', () => {
  const config = example('site-config.md', 'site-config full')
  expect(new TextDecoder().decode(encodeSiteConfig(parseSiteConfig(utf8(config), 'https://portal.example/')))).toBe(`${config}\n`)
})

test('the page of failure codes lists every code once, with the status and next step that the code has', () => {
  const rows = [...page('errors.md').matchAll(/^\| `([^`]+)` \| (\d+) \| (.+) \| (.+) \| (.+) \|$/gm)]
  const listed = rows.map(([, code, status, , , nextStep]) => [code, Number(status), nextStep])
  expect(listed).toEqual(Object.entries(HANDLING).map(([code, handling]) => [code, handling.httpStatus, handling.nextStep]))
})
