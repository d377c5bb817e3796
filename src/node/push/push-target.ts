import type { BlobRef } from '../../core/model/artifact.ts'

/** A file that a mirror has to have. */
export interface OutgoingFile extends BlobRef {
  /** Below the root of the layout, with `/`. */
  readonly path: string
  /**
   * Its bytes, from the start each time. They are what `sha256` says: the last chunk comes only once that is known.
   * @throws {DeliveryError} when the source has other bytes
   */
  chunks(signal: AbortSignal): AsyncIterable<Uint8Array>
}

/** A place that holds the published layout and can be written to. Never trusted: what it was given is read back. */
export interface PushTarget {
  /** For people to read; holds no secret. */
  readonly place: string
  /** Bytes of a file as it claims them; `unknown` where it has the file and does not say. */
  sizeOf(path: string, signal: AbortSignal): Promise<number | 'missing' | 'unknown'>
  /** @throws {DeliveryError} `source-missing`, `source-*` */
  read(path: string, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** Puts a file in place of whatever is there. Whether it arrived is another question. @throws {DeliveryError} `source-*`, `tool-missing` */
  write(file: OutgoingFile, signal: AbortSignal): Promise<void>
}
