import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Catalogue } from '../../src/core/manifest/catalogue.ts'
import { parseCatalogue } from '../../src/core/manifest/parse-catalogue.ts'
import { parseCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import type { Clock } from '../../src/core/ports.ts'
import { openAuthority } from '../../src/node/authority/authority.ts'
import { authoritySigner, keySigner, type PublishSigner } from '../../src/node/publish/publish-signer.ts'
import { generateSigningKey, readSigningKey } from '../../src/node/signing/signing-key.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { CLAIMS } from './claims.ts'
import { temporaryFolder } from './temporary-folder.ts'

export const never = new AbortController().signal

export async function makeFolder(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const dir = await temporaryFolder()
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), content)
  }
  return dir
}

/** @param clock the publisher's own: no catalogue may be ahead of the time that its signature was witnessed at */
export async function makeAuthoritySigner(claims = CLAIMS, clock: Clock = systemClock): Promise<PublishSigner> {
  return authoritySigner(await openAuthority(await temporaryFolder(), { clock }), { claims, clock })
}

export async function makeKeySigner(): Promise<PublishSigner> {
  const { privateKeyPath } = await generateSigningKey(await temporaryFolder())
  return keySigner(await readSigningKey(privateKeyPath))
}

/** A clock that stands still until it is moved. */
export function stoppedClock(startSeconds = 1_800_000_000): Clock & { advance(seconds: number): void } {
  let nowMs = startSeconds * 1000
  return { ...systemClock, nowMs: () => nowMs, advance: (seconds) => void (nowMs += seconds * 1000) }
}

/** The catalogue of a site, read without verifying. */
export async function catalogueOf(site: string): Promise<Catalogue> {
  return parseCatalogue(parseCatalogueEnvelope(await readFile(join(site, 'catalogue.json'))).payload)
}

/** Every file below a folder with its bytes, by path. */
export async function snapshotOf(dir: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(
    await Promise.all(files.toSorted().map(async (path) => [path.slice(dir.length), (await readFile(path)).toString('latin1')] as const)),
  )
}

/** Bytes that differ everywhere, and are the same each time. */
export function bytesOf(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0, x = 1; i < length; i++) bytes[i] = (x = (x * 1_103_515_245 + 12_345) & 0x7fffffff) >> 16
  return bytes
}
