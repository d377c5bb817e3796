import { digestPiece, createScriptStream } from '../src/engine/script-hasher.ts'
import type { HashStream } from '../src/engine/hash-stream.ts'
import { createWasmStream } from '../src/engine/wasm-hasher.ts'
import { contest, type BenchReport, type Contestant } from './contest.ts'

const MIB = 1024 * 1024
const PIECES = 32

/** What the choice of hashers rests on: pieces one by one, and the whole as a stream, in WebAssembly and in script. */
export async function benchHash(): Promise<BenchReport> {
  const pieces = Array.from({ length: PIECES }, (_, at) => new Uint8Array(MIB).fill(at))
  const contestants: readonly Contestant[] = [
    ['pieces of 1 MiB, WebCrypto', () => perSecond(pieces, () => hashPieces(pieces))],
    ['whole as a stream, WebAssembly', () => perSecond(pieces, async () => feed(await createWasmStream(), pieces))],
    ['whole as a stream, script', () => perSecond(pieces, async () => feed(createScriptStream(), pieces))],
  ]
  return await contest('hash', { unit: 'MiB/s', rounds: 5 }, contestants)
}

async function perSecond(pieces: readonly Uint8Array[], work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return (pieces.length * 1000) / (performance.now() - startedMs)
}

async function hashPieces(pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) await digestPiece(piece)
}

function feed(stream: HashStream, pieces: readonly Uint8Array[]): void {
  for (const piece of pieces) stream.update(piece)
  stream.digest()
}
