/**
 * The engine's worker, which also counts the bytes that it holds: read from a source and not yet written to the file, and whatever was read back
 * from the file last, to be hashed. Counted at the browser's own doors, so that the engine needs to know nothing of it.
 */

import { servePage, type SendToPage } from '../../src/engine/serve-page.ts'
import { createThreadStarter } from '../../src/engine/thread-line.ts'

export interface HeldBytes {
  readonly peakBytes: number
  /** Of the bytes that came and were not written: at the end of a healthy download none. */
  readonly leftBytes: number
}

let pendingBytes = 0
let readBackBytes = 0
let peakBytes = 0

function look(): void {
  peakBytes = Math.max(peakBytes, pendingBytes + readBackBytes)
}

interface Reader {
  read(...given: unknown[]): Promise<{ readonly value?: unknown }>
}

// Either kind, whichever the body lets itself be read by.
const readers: readonly Reader[] = [ReadableStreamDefaultReader.prototype, ReadableStreamBYOBReader.prototype]
for (const reader of readers) {
  const { read } = reader
  reader.read = async function (this: Reader, ...given) {
    const next = await read.apply(this, given)
    if (next.value instanceof Uint8Array) pendingBytes += next.value.byteLength
    look()
    return next
  }
}

interface SyncHandle {
  read(bytes: Uint8Array, options?: object): number
  write(bytes: Uint8Array, options?: object): number
}

const { FileSystemSyncAccessHandle } = globalThis as unknown as { readonly FileSystemSyncAccessHandle: { readonly prototype: SyncHandle } }
const handle = FileSystemSyncAccessHandle.prototype
const [readFile, writeFile] = [handle.read, handle.write]
handle.read = function (this: SyncHandle, bytes, options) {
  readBackBytes = bytes.byteLength
  look()
  return readFile.call(this, bytes, options)
}
handle.write = function (this: SyncHandle, bytes, options) {
  const written = writeFile.call(this, bytes, options)
  pendingBytes -= written
  return written
}

const channel = new BroadcastChannel('held-bytes')
channel.addEventListener('message', ({ data }) => {
  if (data === 'tell') channel.postMessage({ peakBytes, leftBytes: pendingBytes } satisfies HeldBytes)
})

const send: SendToPage = (message, transfer = []) => self.postMessage(message, { transfer: [...transfer] })
const startThread = createThreadStarter(send)
const server = servePage(send, {
  isSecurePage: false,
  startHashThread: () => startThread('hasher'),
  startFileThread: () => startThread('files'),
})
self.addEventListener('message', (event: MessageEvent<unknown>) => server.receive(event.data))
