import { expect, test } from 'vitest'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { createHasher } from '../../src/engine/hasher.ts'
import { createScriptStream } from '../../src/engine/script-hasher.ts'
import { seededBytes } from '../fakes/seeded-random.ts'

// FIPS 180-4 examples, and the empty message.
const VECTORS = [
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'],
] as const

test.each(VECTORS)('the digest of "%s" is the published one, whole or streamed', async (text, digest) => {
  const bytes = new TextEncoder().encode(text)
  const hasher = createHasher()
  const streams = [await hasher.createStream(), createScriptStream()]
  for (const stream of streams) stream.update(bytes)
  expect([await hasher.digest(bytes), ...streams.map((stream) => stream.digest())]).toEqual([digest, digest, digest])
})

test('chunks of any length give the digest of the whole', async () => {
  const bytes = seededBytes(1, 300_000)
  const stream = await createHasher().createStream()
  for (let at = 0; at < bytes.length; at += 7777) stream.update(bytes.subarray(at, at + 7777))
  expect(stream.digest()).toBe(sha256Of(bytes))
})

test('two streams at the same time do not mix', async () => {
  const hasher = createHasher()
  const [first, second] = await Promise.all([hasher.createStream(), hasher.createStream()])
  first.update(new Uint8Array([1]))
  second.update(new Uint8Array([2]))
  first.update(new Uint8Array([3]))
  expect([first.digest(), second.digest()]).toEqual([sha256Of(new Uint8Array([1, 3])), sha256Of(new Uint8Array([2]))])
})

test('digests bytes that threads share', async () => {
  const shared = new Uint8Array(new SharedArrayBuffer(3))
  shared.set([1, 2, 3])
  expect(await createHasher().digest(shared)).toBe(sha256Of(new Uint8Array([1, 2, 3])))
})
