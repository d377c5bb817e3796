import type { WindowNeeds } from '../core/ports.ts'
import type { Seedable } from '../core/wire/bridge-message.ts'
import type { EngineClient } from './engine-client.ts'

/** What the engine asks of the mesh and offers to it, kept from the beginning: the mesh itself may start much later. */
export interface MeshNeeds extends WindowNeeds {
  readonly seeds: readonly Seedable[]
  /** Returns what stops it. */
  onChange(listener: () => void): () => void
}

export function trackMeshNeeds(engine: EngineClient): MeshNeeds {
  const listeners = new Set<() => void>()
  let needs: WindowNeeds = { arePeersWanted: false, artifacts: [] }
  let seeds: readonly Seedable[] = []
  engine.onMessage((message) => {
    if (message.type === 'needs') needs = message
    else if (message.type === 'seedable') seeds = message.blobs
    else return
    for (const listener of listeners) listener()
  })
  return {
    get arePeersWanted() {
      return needs.arePeersWanted
    },
    get artifacts() {
      return needs.artifacts
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
