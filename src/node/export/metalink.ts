import { DeliveryError } from '../../core/errors.ts'
import type { Artifact } from '../../core/model/artifact.ts'
import { toPieceIndex } from '../../core/model/ids.ts'
import { pieceHash } from '../../core/verify/piece.ts'

/** What a Metalink says beside the artifact. */
export interface MetalinkFacts {
  /** Name of the catalogue. */
  readonly repository: string
  /** When the catalogue was made that the places were taken from. */
  readonly updatedAtSeconds: number
  /** Whole URLs of the file, best first. */
  readonly urls: readonly string[]
}

/**
 * A Metalink of one file (RFC 5854), with the digest of the whole and of every piece.
 * @throws {DeliveryError} `format-invalid` for a file name that XML cannot hold
 */
export function renderMetalink(artifact: Artifact, { repository, updatedAtSeconds, urls }: MetalinkFacts): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<metalink xmlns="urn:ietf:params:xml:ns:metalink">',
    `  <published>${toTime(artifact.createdAtSeconds)}</published>`,
    `  <updated>${toTime(updatedAtSeconds)}</updated>`,
    `  <file name="${escape(requireText(artifact.filename))}">`,
    `    <identity>${escape(artifact.name)}</identity>`,
    `    <version>${escape(artifact.version)}</version>`,
    `    <publisher name="${escape(repository)}"/>`,
    `    <size>${artifact.sizeBytes}</size>`,
    `    <hash type="sha-256">${artifact.sha256}</hash>`,
    ...renderPieces(artifact),
    ...urls.map((url, at) => `    <url priority="${at + 1}">${escape(url)}</url>`),
    '  </file>',
    '</metalink>',
    '',
  ].join('\n')
}

/** RFC 5854 §4.1.3: `pieces` holds one hash at least, so an empty file has none. */
function renderPieces(artifact: Artifact): readonly string[] {
  const { lengthBytes, count } = artifact.pieces
  if (count === 0) return []
  const hashes = Array.from({ length: count }, (_, at) => `      <hash>${pieceHash(artifact, toPieceIndex(at))}</hash>`)
  return [`    <pieces length="${lengthBytes}" type="sha-256">`, ...hashes, '    </pieces>']
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
}

/** A file name has no control characters and no lone surrogates; these two are what else XML 1.0 §2.2 leaves out. */
function requireText(filename: string): string {
  if (!/[\uFFFE\uFFFF]/.test(filename)) return filename
  throw new DeliveryError({ code: 'format-invalid', document: 'manifest', path: '$.filename', detail: 'cannot be written in XML' })
}

/** The last second that a date of RFC 3339 can name. */
const LAST_SECOND = 253_402_300_799

function toTime(seconds: number): string {
  return new Date(Math.min(seconds, LAST_SECOND) * 1000).toISOString().replace('.000Z', 'Z')
}
