import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DeliveryError, type DocumentKind } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { BlobRef } from '../../core/model/artifact.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import { toSourceId } from '../../core/model/ids.ts'
import { sha256Of } from '../../core/verify/digest.ts'
import { fetchDocument, isWebUrl, readDocument, type DocumentLimit } from './document.ts'

/** Reads the published layout: a folder on this machine, or one that a server shows. */
export interface SiteReader {
  /** The folder or URL, for people to read. */
  readonly place: string
  /** `/catalogue.json` as it stands there; undefined when there is none. Not verified. */
  readCatalogue(signal: AbortSignal): Promise<Uint8Array | undefined>
  /** `/trust/<version>.json`; undefined when there is none. Not verified. */
  readTrustUpdate(version: number, signal: AbortSignal): Promise<Uint8Array | undefined>
  /**
   * A small document by its digest.
   * @param document what it should be, named when it is longer than it was signed to be
   * @throws {DeliveryError} `blob-unavailable`, `blob-mismatch`, `format-oversized`, `source-*`
   */
  readBlob(blob: BlobRef, document: DocumentKind, signal: AbortSignal): Promise<Uint8Array>
}

/** Where a blob lies below the root of the layout. */
export function blobPath(sha256: Sha256): string {
  return `by-hash/sha256/${sha256}`
}

/** Where a trust update lies below the root of the layout. */
export function trustPath(version: number): string {
  return `trust/${version}.json`
}

/**
 * @param place a folder, or an `http:`, `https:` or `file:` URL of the layout's root
 * @example
 * const bytes = await readSite('https://cdn.example/').readCatalogue(AbortSignal.timeout(10_000))
 * console.log(bytes?.length) // not verified
 */
export function readSite(place: string): SiteReader {
  if (isWebUrl(place)) return readSiteAt(place.endsWith('/') ? place : `${place}/`)
  return readSiteIn(/^file:/i.test(place) ? fileURLToPath(place) : place)
}

/** The layout in a folder. */
export function readSiteIn(root: string): SiteReader {
  const read = async (path: string, limit: DocumentLimit, signal: AbortSignal) => {
    signal.throwIfAborted()
    return readDocument(join(root, path), limit)
  }
  return siteReaderOf(root, read)
}

/**
 * The layout that a server shows.
 * @param root ends in `/`
 * @param timeoutMs how long it may take for one document; default as `fetchDocument`
 */
export function readSiteAt(root: string, timeoutMs?: number): SiteReader {
  return siteReaderOf(root, (path, limit, signal) => fetchDocument(new URL(path, root).href, { ...limit, timeoutMs }, signal))
}

type ReadDocument = (path: string, limit: DocumentLimit, signal: AbortSignal) => Promise<Uint8Array | undefined>

/** The layout in a place of another kind. @param read gives undefined for what is not there */
export function siteReaderOf(place: string, read: ReadDocument): SiteReader {
  const source = toSourceId(place.slice(0, 200))
  return {
    place,
    readCatalogue: (signal) => read('catalogue.json', { document: 'catalogue', limitBytes: LIMITS.catalogueBytes }, signal),
    readTrustUpdate: (version, signal) =>
      read(trustPath(version), { document: 'trust-update', limitBytes: LIMITS.trustUpdateBytes }, signal),
    async readBlob(blob, document, signal) {
      const bytes = await read(blobPath(blob.sha256), { document, limitBytes: blob.sizeBytes }, signal)
      if (bytes === undefined) {
        throw new DeliveryError({
          code: 'blob-unavailable',
          sha256: blob.sha256,
          reasons: [{ code: 'source-missing', source }],
        })
      }
      const actual = sha256Of(bytes)
      if (actual !== blob.sha256) throw new DeliveryError({ code: 'blob-mismatch', source, expected: blob.sha256, actual })
      return bytes
    },
  }
}
