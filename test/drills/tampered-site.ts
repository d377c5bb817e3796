import { link, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openAuthority, systemClock, type Authority, type Claims } from 'sealift/node'
import { DEMO_CLAIMS } from '../../demo/stack/publish-demo.ts'
import type { Stack } from '../../demo/stack/stack.ts'
import type { Catalogue, CatalogueEntry } from '../../src/core/manifest/catalogue.ts'
import type { Manifest } from '../../src/core/manifest/manifest.ts'
import { encodeCatalogue, parseCatalogue } from '../../src/core/manifest/parse-catalogue.ts'
import { encodeCatalogueEnvelope, parseCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import { encodeManifest, parseManifest } from '../../src/core/manifest/parse-manifest.ts'
import type { BlobRef } from '../../src/core/model/artifact.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'

/** A copy of the published site that a publisher gone wrong, or an attacker, would make of it. */
export interface TamperedSite {
  readonly dir: string
  readonly catalogue: Catalogue
  /** Of the artifact that is tampered with. */
  readonly entry: CatalogueEntry
  readonly manifest: Manifest
  /** The one that the site trusts. */
  readonly authority: Authority
  putBlob(bytes: Uint8Array): Promise<BlobRef>
  /** Serves the bytes of one blob under another's digest. */
  alias(from: BlobRef, to: BlobRef): Promise<void>
  /** Replaces the catalogue. Default: signed as it should be. */
  writeCatalogue(catalogue: Catalogue, options?: { readonly authority?: Authority; readonly claims?: Claims }): Promise<void>
  /** Replaces the catalogue by these very bytes. */
  writeCatalogueFile(bytes: Uint8Array): Promise<void>
  readCatalogueFile(): Promise<Uint8Array>
  /** Puts a manifest in the place of the artifact's own, in a catalogue that is signed as it should be. */
  writeManifest(manifest: Manifest, entry?: Partial<CatalogueEntry>): Promise<void>
}

const NEVER = new AbortController().signal

/** @param name of the artifact to tamper with */
export async function tamperedSite(stack: Stack, name: string): Promise<TamperedSite> {
  const { authority } = stack
  const dir = join(stack.workDir, `tampered-${Math.random().toString(36).slice(2)}`)
  const blobs = join(dir, 'by-hash', 'sha256')
  await mkdir(blobs, { recursive: true })
  const from = join(stack.siteDir, 'by-hash', 'sha256')
  for (const file of await readdir(from)) if (!file.startsWith('.')) await link(join(from, file), join(blobs, file))
  const catalogueFile = join(dir, 'catalogue.json')
  const original = await readFile(join(stack.siteDir, 'catalogue.json'))
  await writeFile(catalogueFile, original)
  const catalogue = parseCatalogue(parseCatalogueEnvelope(original).payload)
  const entry = catalogue.artifacts.find((candidate) => candidate.name === name)
  if (entry === undefined) throw new RangeError(`expected ${name} in the catalogue`)
  const manifest = parseManifest(await readFile(join(blobs, entry.manifest.sha256)))

  const putBlob = async (bytes: Uint8Array): Promise<BlobRef> => {
    const blob = { sha256: sha256Of(bytes), sizeBytes: bytes.length }
    await writeFile(join(blobs, blob.sha256), bytes)
    return blob
  }
  const writeCatalogue: TamperedSite['writeCatalogue'] = async (changed, options = {}) => {
    const payload = encodeCatalogue(changed)
    const bundle = await (options.authority ?? authority).signBlob(payload, options.claims ?? DEMO_CLAIMS, NEVER)
    await writeFile(catalogueFile, encodeCatalogueEnvelope({ payload, bundles: [bundle] }))
  }
  return {
    dir,
    catalogue,
    entry,
    manifest,
    authority,
    putBlob,
    async alias(source, target) {
      await link(join(blobs, source.sha256), join(blobs, target.sha256))
    },
    writeCatalogue,
    writeCatalogueFile: (bytes) => writeFile(catalogueFile, bytes),
    readCatalogueFile: () => readFile(catalogueFile),
    async writeManifest(changed, entryChanges = {}) {
      const ref = await putBlob(encodeManifest(changed))
      const artifacts = catalogue.artifacts.map((item) => (item === entry ? { ...item, ...entryChanges, manifest: ref } : item))
      await writeCatalogue({ ...catalogue, artifacts })
    },
  }
}

/** Another keyless deployment, which signs as the same identity and which nobody trusts. */
export function strangersAuthority(stack: Stack): Promise<Authority> {
  return openAuthority(join(stack.workDir, 'stranger'), { clock: systemClock })
}
