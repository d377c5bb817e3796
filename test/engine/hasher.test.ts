import { describe, expect, test } from 'vitest'
import type { Clock, HashedContent, Hasher } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import type { HashEngineEnd, HashThreadEnd } from '../../src/engine/hash-message.ts'
import { createHasher } from '../../src/engine/hasher.ts'
import { createScriptStream } from '../../src/engine/script-hasher.ts'
import { systemClock } from '../../src/engine/system-clock.ts'
import { createWasmStream } from '../../src/engine/wasm-hasher.ts'
import { serveHashing } from '../../src/engine/hash-server.ts'
import { holdThread, openThreadPort } from '../fakes/thread-port.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock, settle } from '../fakes/virtual-clock.ts'

// FIPS 180-4 examples, and the empty message.
const VECTORS = [
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'],
] as const

const MIB = 1024 * 1024
/** More than is digested in one go. */
const LARGE = seededBytes(1, 3 * MIB + 12_345)

const hashing =
  (createStream = createWasmStream) =>
  (end: HashThreadEnd) =>
    serveHashing(end, createStream)
const hasherWith = (start: () => HashEngineEnd = () => openThreadPort(hashing()), clock: Clock = systemClock): Hasher =>
  createHasher(start, clock)

/** In chunks of `stepBytes`; each time that it is read, it is counted. */
function contentOf(bytes: Uint8Array, stepBytes = 77_777): HashedContent & { readonly readings: () => number } {
  let readings = 0
  return {
    sizeBytes: bytes.length,
    readings: () => readings,
    async *chunks() {
      readings++
      for (let at = 0; at < bytes.length; at += stepBytes) yield bytes.slice(at, at + stepBytes)
    },
  }
}

test.each(VECTORS)('the digest of "%s" is the published one, whole, streamed, by WebAssembly or by script', async (text, digest) => {
  const bytes = new TextEncoder().encode(text)
  const hasher = hasherWith()
  const streams = [await createWasmStream(), createScriptStream()]
  for (const stream of streams) stream.update(bytes)
  const digests = [await hasher.digest(bytes), await hasher.digestStream(contentOf(bytes)), ...streams.map((stream) => stream.digest())]
  expect(digests).toEqual([digest, digest, digest, digest])
})

test.each([300_000, LARGE.length])('chunks of any length give the digest of the whole: %i bytes', async (sizeBytes) => {
  const bytes = LARGE.subarray(0, sizeBytes)
  expect(await hasherWith().digestStream(contentOf(bytes, 99_999))).toBe(sha256Of(bytes))
})

test('a chunk that is part of a larger buffer is hashed as that part, and the rest of the buffer stays readable', async () => {
  const chunks = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const whole = new Uint8Array(LARGE)
    for (let at = 0; at < whole.length; at += MIB) yield whole.subarray(at, at + MIB)
  }
  expect(await hasherWith().digestStream({ sizeBytes: LARGE.length, chunks })).toBe(sha256Of(LARGE))
})

test('two streams at the same time do not mix', async () => {
  const hasher = hasherWith()
  const other = LARGE.slice().reverse()
  const digests = await Promise.all([hasher.digestStream(contentOf(LARGE)), hasher.digestStream(contentOf(other, 55_555))])
  expect(digests).toEqual([sha256Of(LARGE), sha256Of(other)])
})

test('digests bytes that threads share', async () => {
  const shared = new Uint8Array(new SharedArrayBuffer(3))
  shared.set([1, 2, 3])
  expect(await hasherWith().digest(shared)).toBe(sha256Of(new Uint8Array([1, 2, 3])))
})

test('at most 4 MiB, and the chunk after, are on their way to a thread that is behind', async () => {
  const thread = holdThread(hashing())
  let yieldedBytes = 0
  const chunks = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (let at = 0; at < 32; at++) {
      yieldedBytes += MIB
      yield new Uint8Array(MIB)
    }
  }
  const digest = hasherWith(() => thread.port).digestStream({ sizeBytes: 32 * MIB, chunks })
  thread.arrive()
  await thread.asked(5)
  expect(yieldedBytes).toBe(5 * MIB)
  thread.release()
  expect(await digest).toBe(sha256Of(new Uint8Array(32 * MIB)))
})

test('what the content throws is thrown, and the thread goes on to serve', async () => {
  const hasher = hasherWith()
  const broken = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    yield new Uint8Array(MIB)
    throw new RangeError('a piece is gone')
  }
  await expect(hasher.digestStream({ sizeBytes: 2 * MIB, chunks: broken })).rejects.toThrow('a piece is gone')
  expect(await hasher.digestStream(contentOf(LARGE))).toBe(sha256Of(LARGE))
})

describe('where the thread or WebAssembly is not to be had', () => {
  test('the page forbids WebAssembly: script hashes, and the next artifact goes there at once', async () => {
    let tries = 0
    const forbidden = (): Promise<never> => {
      tries++
      return Promise.reject(new Error('blocked by Content Security Policy'))
    }
    const hasher = hasherWith(() => openThreadPort(hashing(forbidden)))
    expect(await hasher.digestStream(contentOf(LARGE, MIB))).toBe(sha256Of(LARGE))
    const before = tries
    expect([await hasher.digestStream(contentOf(LARGE)), tries]).toEqual([sha256Of(LARGE), before])
  })

  test('the thread cannot be started: script hashes', async () => {
    const refuse = (): HashEngineEnd => {
      throw new DOMException('refused by policy', 'SecurityError')
    }
    expect(await hasherWith(refuse).digestStream(contentOf(LARGE))).toBe(sha256Of(LARGE))
  })

  test('its script cannot be fetched, or never comes: script hashes after a second, and what came late is used from then on', async () => {
    const clock = createVirtualClock()
    const thread = holdThread(hashing())
    const hasher = hasherWith(() => thread.port, clock)
    const first = hasher.digestStream(contentOf(LARGE))
    await clock.advance(1000)
    expect(await first).toBe(sha256Of(LARGE))
    thread.arrive()
    thread.release()
    await settle()
    const [second] = await Promise.all([hasher.digestStream(contentOf(LARGE, MIB)), thread.asked(4)])
    expect(second).toBe(sha256Of(LARGE))
  })

  test('it dies in the middle: the content is read once more, and script hashes', async () => {
    const thread = holdThread(hashing())
    const content = contentOf(LARGE, MIB)
    const digest = hasherWith(() => thread.port).digestStream(content)
    thread.arrive()
    await thread.asked(1)
    thread.die()
    expect([await digest, content.readings()]).toEqual([sha256Of(LARGE), 2])
  })

  test('it falls silent in the middle: after 20 seconds the content is read once more', async () => {
    const clock = createVirtualClock()
    const thread = holdThread(hashing())
    const content = contentOf(LARGE, MIB)
    const digest = hasherWith(() => thread.port, clock).digestStream(content)
    thread.arrive()
    await thread.asked(4)
    await clock.advance(20_000)
    expect([await digest, content.readings()]).toEqual([sha256Of(LARGE), 2])
  })
})
