import { createHash } from 'node:crypto'
import type { Artifact } from '../../core/model/artifact.ts'

/** What a torrent says beside the artifact. */
export interface TorrentFacts {
  /** SHA-1 of every piece, 20 bytes each, in order. The pieces are those of the manifest. */
  readonly hashes: Uint8Array
  /** Whole URLs of the file, best first. */
  readonly urls: readonly string[]
  /** Announce URL of the private tracker; undefined: the file comes from `urls` alone. */
  readonly tracker: string | undefined
}

/**
 * A version 1 torrent of one file (BEP 3), private (BEP 27), with web seeds (BEP 19). The same facts give the same bytes.
 * Its SHA-1 tells which pieces arrived whole, and proves nothing to anybody: what it leads to has to be verified as any other file.
 */
export function renderTorrent(
  artifact: Artifact,
  { hashes, urls, tracker }: TorrentFacts,
): { readonly bytes: Buffer; readonly infoHash: string } {
  const info = dictionary({
    length: integer(artifact.sizeBytes),
    name: text(artifact.filename),
    'piece length': integer(artifact.pieces.lengthBytes),
    pieces: string(hashes),
    private: integer(1),
  })
  const bytes = dictionary({
    ...(tracker === undefined ? {} : { announce: text(tracker) }),
    'creation date': integer(artifact.createdAtSeconds),
    info,
    'url-list': list(urls.map(text)),
  })
  return { bytes, infoHash: createHash('sha1').update(info).digest('hex') }
}

function integer(value: number): Buffer {
  return Buffer.from(`i${value}e`)
}

/** A string of BEP 3 has a length in bytes and no other bounds, so that nothing in it needs escaping. */
function string(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length}:`), bytes])
}

function text(value: string): Buffer {
  return string(Buffer.from(value))
}

function list(items: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from('l'), ...items, Buffer.from('e')])
}

/** Keys stand in the order of their bytes, or some clients compute another info hash than others. */
function dictionary(members: Readonly<Record<string, Buffer>>): Buffer {
  const sorted = Object.entries(members).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Buffer.concat([Buffer.from('d'), ...sorted.flatMap(([key, value]) => [text(key), value]), Buffer.from('e')])
}
