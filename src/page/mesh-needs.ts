import type { Sha256 } from '../core/model/ids.ts'
import type { Seedable } from '../core/wire/bridge-message.ts'
import type { EngineClient } from './engine-client.ts'

/** What the engine asks of the mesh and offers to it, kept from the beginning: the mesh itself may start much later. */
export interface MeshNeeds {
  /** Artifacts that are being fetched. */
  readonly interests: ReadonlySet<Sha256>
  /** The engine runs out of better sources. */
  readonly isWanted: boolean
  readonly seeds: readonly Seedable[]
  /** Returns what stops it. */
  onChange(listener: () => void): () => void
}

export function trackMeshNeeds(engine: EngineClient): MeshNeeds {
  const interests = new Set<Sha256>()
  const listeners = new Set<() => void>()
  let isWanted = false
  let seeds: readonly Seedable[] = []
  engine.onMessage((message) => {
    if (message.type === 'want') isWanted ||= message.tier === 'mesh'
    else if (message.type === 'seedable') seeds = message.blobs
    else if (message.type !== 'want-blob') return
    else if (message.isWanted) interests.add(message.blob.sha256)
    else {
      interests.delete(message.blob.sha256)
      if (interests.size === 0) isWanted = false
    }
    for (const listener of listeners) listener()
  })
  return {
    interests,
    get isWanted() {
      return isWanted
    },
    get seeds() {
      return seeds
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
