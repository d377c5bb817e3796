import type { Sha256 } from '../core/model/ids.ts'
import type { EngineEnd, ThreadEnd } from './thread-line.ts'

/** What the engine asks its hashing thread. `feed` begins a stream that is not known yet. */
export type HashQuestion =
  | { readonly kind: 'feed'; readonly stream: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'end'; readonly stream: number }
  | { readonly kind: 'drop'; readonly stream: number }

/** The memory that was fed, to be used again; or the digest that was asked for. */
export interface HashAnswer {
  readonly spare?: ArrayBuffer
  readonly sha256?: Sha256
}

export type HashEngineEnd = EngineEnd<HashQuestion, HashAnswer>
export type HashThreadEnd = ThreadEnd<HashQuestion, HashAnswer>
