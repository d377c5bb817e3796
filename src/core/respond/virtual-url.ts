import { isFilename } from '../model/filename.ts'
import { isArtifactName, isSha256, type ArtifactName, type Sha256 } from '../model/ids.ts'
import { isVersion } from '../model/names.ts'

/** An artifact as a link of the page names it. */
export type VirtualRequest =
  | { readonly kind: 'digest'; readonly sha256: Sha256; readonly filename: string }
  | { readonly kind: 'name'; readonly name: ArtifactName; readonly version: string | undefined; readonly filename: string }

/** First segment of every virtual URL, below the scope. The origin has to answer 404 here, so that each bypass fails closed. */
export const VIRTUAL_PREFIX = '_sealift/'

/**
 * Reads `<scope>_sealift/sha256/<hex>/<filename>` and `<scope>_sealift/name/<name>[@<version>]/<filename>`.
 * Undefined for any other URL: it goes to the network, where a malformed one finds nothing. A fragment is ignored; a query is
 * refused, since none of the parts may hold a question mark.
 *
 * @param url absolute
 * @param scope absolute, ending in `/`
 */
export function parseVirtualUrl(url: string, scope: string): VirtualRequest | undefined {
  const [address = ''] = url.split('#', 1)
  const start = `${scope}${VIRTUAL_PREFIX}`
  if (!address.startsWith(start)) return undefined
  const [kind, encodedKey, encodedName, ...rest] = address.slice(start.length).split('/')
  const key = decode(encodedKey)
  const filename = decode(encodedName)
  if (rest.length > 0 || key === undefined || !isFilename(filename)) return undefined
  if (kind === 'sha256') return isSha256(key) ? { kind: 'digest', sha256: key, filename } : undefined
  return kind === 'name' ? parseNamed(key, filename) : undefined
}

/** The URL that `parseVirtualUrl` reads back. @throws {TypeError} when the file name or version is not a valid one */
export function formatVirtualUrl(request: VirtualRequest, scope: string): string {
  if (!isFilename(request.filename)) throw new TypeError('expected a plain file name')
  const filename = encodeURIComponent(request.filename)
  if (request.kind === 'digest') return `${scope}${VIRTUAL_PREFIX}sha256/${request.sha256}/${filename}`
  if (request.version === undefined) return `${scope}${VIRTUAL_PREFIX}name/${request.name}/${filename}`
  if (!isVersion(request.version)) throw new TypeError('expected a version')
  return `${scope}${VIRTUAL_PREFIX}name/${request.name}@${encodeURIComponent(request.version)}/${filename}`
}

/** True for everything below the prefix, well-formed or not: none of it may be cached, precached or answered by a shell. */
export function isVirtualUrl(url: string, scope: string): boolean {
  return url.startsWith(`${scope}${VIRTUAL_PREFIX}`)
}

function parseNamed(key: string, filename: string): VirtualRequest | undefined {
  const [name, version, ...rest] = key.split('@')
  if (rest.length > 0 || !isArtifactName(name)) return undefined
  if (version === undefined) return { kind: 'name', name, version: undefined, filename }
  return isVersion(version) ? { kind: 'name', name, version, filename } : undefined
}

function decode(segment: string | undefined): string | undefined {
  try {
    return segment === undefined ? undefined : decodeURIComponent(segment)
  } catch {
    // A stray percent sign: no URL of ours.
    return undefined
  }
}
