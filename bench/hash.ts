import { createHasher } from '../src/engine/hasher.ts'
import { systemClock } from '../src/engine/system-clock.ts'
import { createScriptHasher } from '../src/engine/script-hasher.ts'
import type { Hasher } from '../src/core/ports.ts'
import { contest, type BenchReport, type Contestant } from './contest.ts'

const MIB = 1024 * 1024
const PIECES = 32

/** What the choice of hashers rests on: pieces one by one, and the whole as a stream, in WebAssembly and in script. */
export async function benchHash(): Promise<BenchReport> {
  const pieces = Array.from({ length: PIECES }, (_, at) => new Uint8Array(MIB).fill(at))
  const wasm = createHasher(() => import('../src/engine/wasm-hasher.ts'), systemClock)
  const script = createScriptHasher()
  const contestants: readonly Contestant[] = [
    ['pieces of 1 MiB, WebCrypto', () => perSecond(pieces, () => hashPieces(wasm, pieces))],
    ['whole as a stream, WebAssembly', () => perSecond(pieces, () => hashStream(wasm, pieces))],
    ['whole as a stream, script', () => perSecond(pieces, () => hashStream(script, pieces))],
  ]
  return await contest('hash', { unit: 'MiB/s', rounds: 5 }, contestants)
}

async function perSecond(pieces: readonly Uint8Array[], work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return (pieces.length * 1000) / (performance.now() - startedMs)
}

async function hashPieces(hasher: Hasher, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) await hasher.digest(piece)
}

async function hashStream(hasher: Hasher, pieces: readonly Uint8Array[]): Promise<void> {
  const stream = await hasher.createStream()
  for (const piece of pieces) stream.update(piece)
  stream.digest()
}
