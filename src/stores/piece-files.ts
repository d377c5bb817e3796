/** The file calls a store needs: one file per artifact, named by the store. Narrow, so that a test can fail each of them. */
export interface PieceFiles {
  /** True where exclusive writing works: in dedicated workers. */
  readonly canWrite: boolean
  /** Opens for writing, alone; makes an empty file at first. */
  openWriter(name: string): Promise<PieceWriter>
  /** Closes what `openWriter` gave. The file may have been cleared since: it is there again afterwards, empty. */
  closeWriter(name: string, writer: PieceWriter): Promise<void>
  /** The file as it is now; undefined when there is none. Works while another context writes. */
  snapshot(name: string): Promise<Blob | undefined>
  /** Replaces the whole file in one step, in any context: who reads meanwhile gets the old text or the new. */
  writeText(name: string, text: string): Promise<void>
  /** Does nothing when there is no such file. */
  remove(name: string): Promise<void>
  names(): Promise<readonly string[]>
}

/** The part of `FileSystemSyncAccessHandle` that a store uses. Offsets and sizes in bytes. */
export interface PieceWriter {
  getSize(): number
  truncate(sizeBytes: number): void
  /** How many bytes were written, which may be fewer. */
  write(bytes: Uint8Array, options: { readonly at: number }): number
  /** How many bytes were read. */
  read(into: Uint8Array, options: { readonly at: number }): number
  flush(): void
  close(): void
}

/**
 * The files of this origin's private file system, under `sealift/`.
 * @throws the platform's own `DOMException`, such as `SecurityError` in private windows of Firefox
 */
export async function openPieceFiles(): Promise<PieceFiles> {
  // Anew each time: the folder goes when the browser clears what this origin keeps, under an open page too.
  const folder = async () => await (await navigator.storage.getDirectory()).getDirectoryHandle('sealift', { create: true })
  const handleOf = async (name: string) => await (await folder()).getFileHandle(name, { create: true })
  await folder()
  return {
    canWrite: 'createSyncAccessHandle' in FileSystemFileHandle.prototype,
    openWriter: async (name) => await (await handleOf(name)).createSyncAccessHandle(),
    // Chromium 156 never comes back from closing the handle of a file that is gone, and the whole worker stands still.
    closeWriter: async (name, writer) => {
      await handleOf(name)
      writer.close()
    },
    snapshot: async (name) => await orMissing(async () => await (await (await folder()).getFileHandle(name)).getFile()),
    writeText: async (name, text) => {
      const writable = await (await handleOf(name)).createWritable()
      await writable.write(text)
      await writable.close()
    },
    remove: async (name) => await orMissing(async () => await (await folder()).removeEntry(name)),
    names: async () => {
      const names: string[] = []
      for await (const name of (await folder()).keys()) names.push(name)
      return names
    },
  }
}

async function orMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Error && error.name === 'NotFoundError') return undefined
    throw error
  }
}
