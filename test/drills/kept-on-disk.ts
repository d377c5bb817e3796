import type { Page } from 'puppeteer-core'

/** What a page finds kept of one artifact, by its own hand: none of what is tested is asked. */
export interface KeptOnDisk {
  /** Pieces that are flagged as kept. */
  readonly kept: readonly number[]
  /** Flagged, and their bytes are gone or not those that were signed. */
  readonly wrong: readonly number[]
}

export interface SignedPieces {
  readonly sha256: string
  readonly pieceBytes: number
  readonly sizeBytes: number
  /** SHA-256 of each piece, in hex. */
  readonly hashes: readonly string[]
}

/** Reads flags and bytes from IndexedDB and the private file system, and hashes them. */
export async function readKept(page: Page, signed: SignedPieces): Promise<KeptOnDisk> {
  return page.evaluate(async ({ sha256, pieceBytes, sizeBytes, hashes }) => {
    const answerOf = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.addEventListener('success', () => resolve(request.result))
        request.addEventListener('error', () => reject(request.error))
      })
    // Opening one that is not there would make it, without its stores.
    if (!(await indexedDB.databases()).some(({ name }) => name === 'sealift')) return { kept: [], wrong: [] }
    const db = await answerOf(indexedDB.open('sealift'))
    try {
      const range = IDBKeyRange.bound([sha256], [sha256, []])
      const tx = db.transaction(['pieces', 'pieceBlobs'])
      const keys = await answerOf(tx.objectStore('pieces').getAllKeys(range))
      const blobs = new Map<number, Blob>()
      const blobKeys = await answerOf(tx.objectStore('pieceBlobs').getAllKeys(range))
      const values: readonly Blob[] = await answerOf(tx.objectStore('pieceBlobs').getAll(range))
      const pieceOf = (key: IDBValidKey): number => (Array.isArray(key) ? Number(key[1]) : -1)
      blobKeys.forEach((key, at) => blobs.set(pieceOf(key), values[at] ?? new Blob()))
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('sealift', { create: true })
      const handle = await folder.getFileHandle(`${sha256}.part`).catch(() => undefined)
      // While somebody writes to the file, what was opened before cannot be read any more.
      const readFile = async (start: number, end: number): Promise<ArrayBuffer> => {
        for (let tries = 1; handle !== undefined && tries <= 50; tries++) {
          const bytes = await (
            await handle.getFile()
          )
            .slice(start, end)
            .arrayBuffer()
            .catch(() => undefined)
          if (bytes !== undefined) return bytes
        }
        return new ArrayBuffer(0)
      }
      const kept = keys.map(pieceOf)
      const wrong: number[] = []
      for (const piece of kept) {
        const end = Math.min((piece + 1) * pieceBytes, sizeBytes)
        const bytes = await (blobs.get(piece)?.arrayBuffer() ?? readFile(piece * pieceBytes, end))
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
        const hex = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
        if (hex !== hashes[piece]) wrong.push(piece)
      }
      return { kept, wrong }
    } finally {
      db.close()
    }
  }, signed)
}
