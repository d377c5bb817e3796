// The Sigstore packages' declarations name two of Node's types. This folder compiles without Node's, so here is what we touch of them.

interface Buffer<B extends ArrayBufferLike = ArrayBufferLike> extends Uint8Array<B> {
  toString(encoding?: 'utf8' | 'hex' | 'base64'): string
}

declare module 'crypto' {
  export interface KeyObject {
    export(options: { readonly type: 'spki'; readonly format: 'der' }): Buffer
  }
  export type BinaryLike = string | Uint8Array
  export type KeyLike = string | Uint8Array | KeyObject
}
