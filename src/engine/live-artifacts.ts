import type { Artifact } from '../core/model/artifact.ts'
import type { PieceIndex, Sha256 } from '../core/model/ids.ts'
import type { SeedNews } from '../core/wire/seed-news.ts'
import type { ArtifactFile } from '../stores/artifact-file.ts'

/** An artifact that this engine holds open while it fetches it. */
export interface LiveArtifact {
  readonly artifact: Artifact
  readonly file: Pick<ArtifactFile, 'stored' | 'read'>
}

/** What this engine is fetching of what peers may have: its pieces are given on from the open file, before they are whole. */
export interface LiveArtifacts {
  /** Returns what is called when the file is let go of, before it is closed. */
  open(live: LiveArtifact): () => void
  find(sha256: Sha256): LiveArtifact | undefined
  all(): readonly LiveArtifact[]
  /** A piece of an open one is stored. */
  noteKept(sha256: Sha256, piece: PieceIndex): void
  /** Something else changed of what peers can be given. */
  noteChange(): void
  /** News of this engine. Returns what stops it. */
  onNews(listener: (news: SeedNews) => void): () => void
}

export function createLiveArtifacts(): LiveArtifacts {
  const open = new Map<Sha256, LiveArtifact>()
  const listeners = new Set<(news: SeedNews) => void>()
  const tell = (news: SeedNews): void => {
    for (const listener of listeners) listener(news)
  }
  return {
    open(live) {
      const { sha256 } = live.artifact
      open.set(sha256, live)
      tell({ type: 'changed' })
      return () => {
        if (open.get(sha256) !== live) return
        open.delete(sha256)
        tell({ type: 'changed' })
      }
    },
    find: (sha256) => open.get(sha256),
    all: () => [...open.values()],
    noteKept: (sha256, piece) => tell({ type: 'kept', sha256, pieces: [piece] }),
    noteChange: () => tell({ type: 'changed' }),
    onNews(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
