import { DeliveryError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { pieceCount, type BundleRef } from '../model/artifact.ts'
import { isFilename } from '../model/filename.ts'
import { isArtifactName } from '../model/ids.ts'
import { isMediaType, isPlatform, isVersion } from '../model/names.ts'
import { decodeBase64, encodeBase64 } from '../base64.ts'
import { readBlob, readSha256, writeBlob } from './blob-field.ts'
import type { CatalogueEntry } from './catalogue.ts'
import { encodeJson, openJson } from '../json/json.ts'
import type { JsonField } from '../json/json-field.ts'
import type { Manifest, ManifestPieces } from './manifest.ts'

const MANIFEST = [
  'schema',
  'name',
  'version',
  'platform',
  'filename',
  'mediaType',
  'size',
  'sha256',
  'priority',
  'pieces',
  'bundles',
  'created',
  'previous',
] as const
const HASH_BYTES = 32

/**
 * Reads a manifest whose bytes have the digest that the catalogue names.
 * @throws {DeliveryError} `format-invalid`, `format-oversized`, `format-unsupported`
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  const get = openJson(bytes, { document: 'manifest', limitBytes: LIMITS.manifestBytes }).object(MANIFEST)
  const schema = get('schema').schema(1)
  const sizeBytes = get('size').integer(0, LIMITS.artifactBytes)
  return {
    schema,
    sha256: readSha256(get('sha256')),
    sizeBytes,
    name: get('name').checked(isArtifactName, 'lower-case letters, digits and . _ -'),
    version: get('version').checked(isVersion, 'a version of letters, digits and . _ + ~ -'),
    platform: get('platform').optional((field) => field.checked(isPlatform, 'os/arch in lower case')),
    filename: get('filename').checked(isFilename, 'a plain file name'),
    mediaType: get('mediaType').checked(isMediaType, 'type/subtype'),
    priority: get('priority').optional((field) => field.oneOf(['critical', 'normal'])) ?? 'normal',
    pieces: readPieces(get('pieces'), sizeBytes),
    bundles: get('bundles').optional((field) => field.list(LIMITS.bundlesPerArtifact).map(readBundle)) ?? [],
    createdAtSeconds: get('created').integer(0),
    previous: get('previous').optional(readPrevious),
  }
}

/**
 * The manifest to publish under its digest, its members in a fixed order. Reads back what it wrote.
 * @throws {DeliveryError} `format-invalid`, `format-oversized`
 */
export function encodeManifest(manifest: Manifest): Uint8Array<ArrayBuffer> {
  const { pieces, previous } = manifest
  const cut = { length: pieces.lengthBytes, count: pieces.count }
  const bytes = encodeJson({
    schema: manifest.schema,
    name: manifest.name,
    version: manifest.version,
    platform: manifest.platform,
    filename: manifest.filename,
    mediaType: manifest.mediaType,
    size: manifest.sizeBytes,
    sha256: manifest.sha256,
    priority: manifest.priority,
    pieces: pieces.kind === 'inline' ? { ...cut, hashes: encodeBase64(pieces.hashes) } : { ...cut, list: writeBlob(pieces.list) },
    bundles: manifest.bundles.map((bundle) => ({ ...writeBlob(bundle), kind: bundle.kind })),
    created: manifest.createdAtSeconds,
    previous: previous && { version: previous.version, sha256: previous.sha256 },
  })
  parseManifest(bytes)
  return bytes
}

/**
 * Reads a piece list: 32 bytes for each piece, nothing else. The result shares memory with `bytes`.
 * @throws {DeliveryError} `format-invalid`
 */
export function parsePieceList(bytes: Uint8Array, count: number): Uint8Array {
  const expected = count * HASH_BYTES
  if (bytes.length === expected) return bytes
  throw new DeliveryError({
    code: 'format-invalid',
    document: 'piece-list',
    path: '$',
    detail: `expected ${expected} bytes, got ${bytes.length}`,
  })
}

/**
 * Holds a manifest to the catalogue entry that named it: another good artifact of the same publisher is still the wrong one.
 * @throws {DeliveryError} `manifest-mismatch`, naming the field
 */
export function checkManifest(entry: CatalogueEntry, manifest: Manifest): void {
  const pairs = [
    ['name', entry.name, manifest.name],
    ['version', entry.version, manifest.version],
    ['platform', entry.platform, manifest.platform],
    ['size', entry.artifact.sizeBytes, manifest.sizeBytes],
    ['sha256', entry.artifact.sha256, manifest.sha256],
  ] as const
  for (const [field, listed, stated] of pairs) {
    if (listed !== stated) throw new DeliveryError({ code: 'manifest-mismatch', name: entry.name, field })
  }
}

function readPieces(field: JsonField, sizeBytes: number): ManifestPieces {
  const get = field.object(['length', 'count', 'list', 'hashes'])
  const lengthBytes = get('length').integer(LIMITS.pieceLengthMinBytes, LIMITS.pieceLengthMaxBytes)
  if ((lengthBytes & (lengthBytes - 1)) !== 0) throw get('length').refuse('expected a power of two')
  const count = get('count').integer(0, LIMITS.pieceListBytes / HASH_BYTES)
  const expected = pieceCount(sizeBytes, lengthBytes)
  if (count !== expected) throw get('count').refuse(`expected ${expected} for this size and piece length`)
  if (get('list').isAbsent) return { kind: 'inline', lengthBytes, count, hashes: readHashes(get('hashes'), count) }
  if (!get('hashes').isAbsent) throw get('hashes').refuse('expected either hashes or list')
  if (count === 0) throw get('list').refuse('expected inline hashes, since there are no pieces')
  const listBytes = count * HASH_BYTES
  return { kind: 'listed', lengthBytes, count, list: readBlob(get('list'), { min: listBytes, max: listBytes }) }
}

function readHashes(field: JsonField, count: number): Uint8Array {
  if (count > LIMITS.inlinePieces) throw field.refuse(`expected a list blob for more than ${LIMITS.inlinePieces} pieces`)
  const hashes = decodeBase64(field.text(4 * Math.ceil((LIMITS.inlinePieces * HASH_BYTES) / 3)))
  if (hashes === undefined) throw field.refuse('expected base64 with padding')
  if (hashes.length !== count * HASH_BYTES) throw field.refuse(`expected ${count * HASH_BYTES} bytes, got ${hashes.length}`)
  return hashes
}

function readBundle(field: JsonField): BundleRef {
  const get = field.object(['sha256', 'size', 'kind'])
  const sizeBytes = get('size').integer(1, LIMITS.bundleBytes)
  return { sha256: readSha256(get('sha256')), sizeBytes, kind: get('kind').oneOf(['signature', 'attestation']) }
}

function readPrevious(field: JsonField): NonNullable<Manifest['previous']> {
  const get = field.object(['version', 'sha256'])
  return { version: get('version').checked(isVersion, 'a version of letters, digits and . _ + ~ -'), sha256: readSha256(get('sha256')) }
}
