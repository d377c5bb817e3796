import type { Artifact } from '../model/artifact.ts'
import { isFilename } from '../model/filename.ts'
import { formatContentRange, formatUnsatisfiedRange, type RangeAnswer } from './http-range.ts'

/** Status and headers of an answer that carries a verified artifact. Names are in lower case. */
export interface ArtifactAnswer {
  readonly status: 200 | 206 | 416
  readonly headers: Readonly<Record<string, string>>
}

/** Types that no browser runs or lays out. Whatever else the publisher says is sent as bytes without a meaning. */
const INERT_TYPES: ReadonlySet<string> = new Set([
  'application/gzip',
  'application/java-archive',
  'application/json',
  'application/octet-stream',
  'application/vnd.debian.binary-package',
  'application/vnd.microsoft.portable-executable',
  'application/wasm',
  'application/x-7z-compressed',
  'application/x-apple-diskimage',
  'application/x-bzip2',
  'application/x-cpio',
  'application/x-deb',
  'application/x-debian-package',
  'application/x-executable',
  'application/x-gzip',
  'application/x-iso9660-image',
  'application/x-msdownload',
  'application/x-msi',
  'application/x-raw-disk-image',
  'application/x-redhat-package-manager',
  'application/x-rpm',
  'application/x-tar',
  'application/x-xz',
  'application/zip',
  'application/zstd',
])

/**
 * How a verified artifact is answered: as a file to save, never as something to show, since whoever published it is not
 * the site that serves it.
 * Without `ETag` and `Accept-Ranges: bytes` a browser cannot offer to resume; a resumed download would go past the
 * service worker and append bytes that nobody verified.
 */
export function answerArtifact(artifact: Pick<Artifact, 'filename' | 'mediaType' | 'sizeBytes'>, range: RangeAnswer): ArtifactAnswer {
  const { sizeBytes } = artifact
  const common = {
    'content-disposition': contentDisposition(artifact.filename),
    'content-security-policy': "sandbox; default-src 'none'",
    'content-type': safeMediaType(artifact.mediaType),
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  }
  if (range.kind === 'unsatisfiable') {
    return { status: 416, headers: { ...common, 'content-length': '0', 'content-range': formatUnsatisfiedRange(sizeBytes) } }
  }
  if (range.kind === 'whole') return { status: 200, headers: { ...common, 'accept-ranges': 'none', 'content-length': String(sizeBytes) } }
  const { start, end } = range.range
  return {
    status: 206,
    headers: { ...common, 'content-length': String(end - start), 'content-range': formatContentRange(range.range, sizeBytes) },
  }
}

/** The publisher's type when it is inert, else `application/octet-stream`. */
export function safeMediaType(mediaType: string): string {
  const type = mediaType.toLowerCase()
  return INERT_TYPES.has(type) ? type : 'application/octet-stream'
}

/**
 * `attachment` with the name twice: ASCII for old readers (RFC 6266), and UTF-8 (RFC 8187).
 * @throws {TypeError} when `filename` is not one that a manifest may carry
 */
export function contentDisposition(filename: string): string {
  if (!isFilename(filename)) throw new TypeError('expected a plain file name')
  // A percent sign in the quoted form is decoded by some browsers, so it is not used there.
  const ascii = filename.replace(/[^\x20-\x7e]|%/gu, '_')
  const encoded = encodeURIComponent(filename).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}
