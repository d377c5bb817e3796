import type { Sha256 } from '../core/model/ids.ts'

/** What the engine asks its hashing thread, a script of the same build. `feed` begins a stream that is not known yet. */
export type HashQuestion =
  | { readonly kind: 'feed'; readonly ask: number; readonly stream: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'end'; readonly ask: number; readonly stream: number }
  | { readonly kind: 'drop'; readonly ask: number; readonly stream: number }

export type HashAnswer =
  /** Sent once, unasked: the script has arrived and runs. */
  | { readonly kind: 'ready' }
  /** To each question, in order: with the memory that was fed, to be used again, or the digest that was asked for. */
  | { readonly kind: 'done'; readonly ask: number; readonly spare?: ArrayBuffer; readonly sha256?: Sha256 }
  /** It cannot hash: WebAssembly is not to be had. */
  | { readonly kind: 'unable' }

/** One end of the line between them. */
export interface HashPort<Sent, Received> {
  post(message: Sent, transfer: Transferable[]): void
  onMessage(listener: (message: Received) => void): void
  /** The other end's script cannot be fetched, or throws. */
  onFailure(listener: () => void): void
}

export type EngineEnd = HashPort<HashQuestion, HashAnswer>
export type ThreadEnd = Omit<HashPort<HashAnswer, HashQuestion>, 'onFailure'>
