import type { Span } from '../stores/open-file.ts'
import type { EngineEnd, ThreadEnd } from './thread-line.ts'

/** What the engine asks the thread that has its files open. Files are numbered by the engine; memory moves with the question. */
export type FileQuestion =
  | { readonly kind: 'open'; readonly file: number; readonly name: string; readonly sizeBytes: number }
  | { readonly kind: 'keep'; readonly file: number; readonly spans: readonly (Span & { readonly bytes: Uint8Array<ArrayBuffer> })[] }
  | { readonly kind: 'read'; readonly file: number; readonly room: Uint8Array<ArrayBuffer>; readonly at: number }
  | { readonly kind: 'close'; readonly file: number }

/** The memory that came with the question, or what was read into it. */
export interface FileAnswer {
  readonly spares?: readonly ArrayBuffer[]
  readonly bytes?: Uint8Array<ArrayBuffer>
}

export type FileEngineEnd = EngineEnd<FileQuestion, FileAnswer>
export type FileThreadEnd = ThreadEnd<FileQuestion, FileAnswer>
