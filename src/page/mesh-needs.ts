import type { WindowNeeds } from '../core/ports.ts'
import type { EngineClient } from './engine-client.ts'

/** What the engine asks of the mesh, kept from the beginning: the mesh itself may start much later. */
export interface MeshNeeds extends WindowNeeds {
  /** Returns what stops it. */
  onChange(listener: () => void): () => void
}

export function trackMeshNeeds(engine: EngineClient): MeshNeeds {
  const listeners = new Set<() => void>()
  let needs: WindowNeeds = { arePeersWanted: false, artifacts: [] }
  engine.onMessage((message) => {
    if (message.type !== 'needs') return
    needs = message
    for (const listener of listeners) listener()
  })
  return {
    get arePeersWanted() {
      return needs.arePeersWanted
    },
    get artifacts() {
      return needs.artifacts
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
