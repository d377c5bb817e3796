import { createHash } from 'node:crypto'
import { link, mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import type { BlobRef } from '../../core/model/artifact.ts'
import { sha256Of } from '../../core/verify/digest.ts'
import { createFileDurably, errorCode, temporaryName, writeChunksDurably, writeFileDurably } from '../durable-file.ts'
import { readChunks, sha256OfFile } from '../signing/content.ts'
import { blobPath, trustPath } from './site-reader.ts'

/**
 * Writes the published layout. Blobs are named by their digest, so until the catalogue names them nobody sees them;
 * each appears whole or not at all.
 */
export interface SiteWriter {
  readonly root: string
  putBytes(bytes: Uint8Array): Promise<BlobRef>
  /**
   * Copies a file whose digest is known. A good copy that is there already is kept, an altered one replaced.
   * @throws {DeliveryError} `input-invalid` when the file is no longer what it was
   */
  putFile(path: string, blob: BlobRef, signal: AbortSignal): Promise<void>
  /** Where a blob lies. */
  pathOf(blob: BlobRef): string
  /** `by-name/<name>/<version>/<filename>` as a second name for a blob. */
  linkByName(blob: BlobRef, name: { readonly name: string; readonly version: string; readonly filename: string }): Promise<void>
  /** What a load balancer asks for. */
  writeHealth(): Promise<void>
  /** Adds `/trust/<version>.json`. False when there is one: it stays as it is. */
  addTrustUpdate(version: number, bytes: Uint8Array): Promise<boolean>
  /** Replaces `/catalogue.json` in one step. */
  writeCatalogue(bytes: Uint8Array): Promise<void>
}

const MODE = 0o644
/** What a load balancer reads at `/healthz`. */
export const HEALTH = '{"ok":true,"role":"origin"}\n'

export function writeSite(root: string): SiteWriter {
  const pathOf = (blob: BlobRef) => join(root, blobPath(blob.sha256))
  return {
    root,
    pathOf,
    async putBytes(bytes) {
      const blob = { sha256: sha256Of(bytes), sizeBytes: bytes.length }
      if (!(await isIntact(pathOf(blob), blob, NEVER))) await writeFileDurably(pathOf(blob), bytes, { mode: MODE })
      return blob
    },
    async putFile(path, blob, signal) {
      if (await isIntact(pathOf(blob), blob, signal)) return
      await writeChunksDurably(pathOf(blob), verifiedChunks(path, blob, signal), { mode: MODE })
    },
    async linkByName(blob, { name, version, filename }) {
      const path = join(root, 'by-name', name, version, filename)
      const temporary = temporaryName(path)
      await mkdir(dirname(path), { recursive: true })
      await link(pathOf(blob), temporary)
      await rename(temporary, path)
      // Renaming one name of a file over another of the same file does nothing, and both stay.
      await rm(temporary, { force: true })
    },
    writeHealth: () => writeFileDurably(join(root, 'healthz'), HEALTH, { mode: MODE }),
    addTrustUpdate: (version, bytes) => createFileDurably(join(root, trustPath(version)), bytes, { mode: MODE }),
    writeCatalogue: (bytes) => writeFileDurably(join(root, 'catalogue.json'), bytes, { mode: MODE }),
  }
}

const NEVER = new AbortController().signal

async function isIntact(path: string, blob: BlobRef, signal: AbortSignal): Promise<boolean> {
  try {
    if ((await stat(path)).size !== blob.sizeBytes) return false
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
  return (await sha256OfFile(path, signal)).sha256 === blob.sha256
}

async function* verifiedChunks(from: string, blob: BlobRef, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  for await (const chunk of readChunks(from, signal)) {
    hash.update(chunk)
    yield chunk
  }
  if (hash.digest('hex') !== blob.sha256)
    throw new DeliveryError({ code: 'input-invalid', path: from, detail: 'changed while it was published' })
}
