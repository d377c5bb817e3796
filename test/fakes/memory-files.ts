import type { TwinFiles } from '../../src/stores/twin-records.ts'

/** The private file system of one browser, as far as second copies need it. */
export interface MemoryFiles extends TwinFiles {
  /** By name. A test may change it. */
  readonly texts: Map<string, string>
}

export function createMemoryFiles(): MemoryFiles {
  const texts = new Map<string, string>()
  return {
    texts,
    snapshot: async (name) => {
      const text = texts.get(name)
      return text === undefined ? undefined : new Blob([text])
    },
    writeText: async (name, text) => void texts.set(name, text),
    remove: async (name) => void texts.delete(name),
  }
}
