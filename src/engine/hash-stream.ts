import type { Sha256 } from '../core/model/ids.ts'

/** SHA-256 of what is fed to it, in order, on the thread that feeds it. */
export interface HashStream {
  update(bytes: Uint8Array): void
  /** Ends the stream. */
  digest(): Sha256
}
