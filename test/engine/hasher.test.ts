import { describe, expect, test } from 'vitest'
import type { Hasher } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { createHasher, type WasmHasher } from '../../src/engine/hasher.ts'
import { systemClock } from '../../src/engine/system-clock.ts'
import { createScriptStream } from '../../src/engine/script-hasher.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'

// FIPS 180-4 examples, and the empty message.
const VECTORS = [
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'],
] as const

const load = () => import('../../src/engine/wasm-hasher.ts')
const hasherWith = (loadWasm: () => Promise<WasmHasher> = load) => createHasher(loadWasm, systemClock)

test.each(VECTORS)('the digest of "%s" is the published one, whole or streamed', async (text, digest) => {
  const bytes = new TextEncoder().encode(text)
  const hasher = hasherWith()
  const streams = [await hasher.createStream(), createScriptStream()]
  for (const stream of streams) stream.update(bytes)
  expect([await hasher.digest(bytes), ...streams.map((stream) => stream.digest())]).toEqual([digest, digest, digest])
})

test('chunks of any length give the digest of the whole', async () => {
  const bytes = seededBytes(1, 300_000)
  const stream = await hasherWith().createStream()
  for (let at = 0; at < bytes.length; at += 7777) stream.update(bytes.subarray(at, at + 7777))
  expect(stream.digest()).toBe(sha256Of(bytes))
})

test('two streams at the same time do not mix', async () => {
  const hasher = hasherWith()
  const [first, second] = await Promise.all([hasher.createStream(), hasher.createStream()])
  first.update(new Uint8Array([1]))
  second.update(new Uint8Array([2]))
  first.update(new Uint8Array([3]))
  expect([first.digest(), second.digest()]).toEqual([sha256Of(new Uint8Array([1, 3])), sha256Of(new Uint8Array([2]))])
})

test('digests bytes that threads share', async () => {
  const shared = new Uint8Array(new SharedArrayBuffer(3))
  shared.set([1, 2, 3])
  expect(await hasherWith().digest(shared)).toBe(sha256Of(new Uint8Array([1, 2, 3])))
})

describe('where WebAssembly is not to be had', () => {
  const abc = new TextEncoder().encode('abc')
  async function digestBy(hasher: Hasher): Promise<string> {
    const stream = await hasher.createStream()
    stream.update(abc)
    return stream.digest()
  }

  test('its file is missing: script hashes', async () => {
    expect(await digestBy(hasherWith(() => Promise.reject(new TypeError('cannot be fetched'))))).toBe(sha256Of(abc))
  })

  test('the page forbids it: script hashes', async () => {
    const refused = { createWasmStream: () => Promise.reject(new Error('blocked by Content Security Policy')) }
    expect(await digestBy(hasherWith(async () => refused))).toBe(sha256Of(abc))
  })

  test('its file never comes, as in a silent outage: script hashes after a second, and what came late is used from then on', async () => {
    const clock = createVirtualClock()
    let arrive: (hasher: WasmHasher) => void = () => undefined
    let streams = 0
    const hasher = createHasher(() => new Promise((resolve) => (arrive = resolve)), clock)
    const first = digestBy(hasher)
    await clock.advance(1000)
    expect(await first).toBe(sha256Of(abc))
    arrive({
      createWasmStream: async () => {
        streams++
        return createScriptStream()
      },
    })
    expect([await digestBy(hasher), streams]).toEqual([sha256Of(abc), 1])
  })
})
