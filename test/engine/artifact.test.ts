import { beforeAll, describe, expect, test } from 'vitest'
import { findTallyFault, isWholeTally } from '../../src/core/audit/tally.ts'
import { DeliveryError } from '../../src/core/errors.ts'
import type { AuditRecord } from '../../src/core/audit/record.ts'
import type { BlobRef, ByteRange } from '../../src/core/model/artifact.ts'
import { toSourceId, type Sha256 } from '../../src/core/model/ids.ts'
import type { Source } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { parseEngineMessage } from '../../src/core/wire/parse-engine-message.ts'
import type { DeliveryEvent } from '../../src/core/wire/delivery-event.ts'
import { checkChain } from '../core/audit/chain.ts'
import { makeArtifact } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { IDENTITY } from '../trust/offline-sigstore.ts'
import { auditOf, bytesOf, createMachine, createMirror, deliver, failureOfDelivery, isForgotten, LATEST, never } from './machine.ts'
import { createPublisher, PIECE_BYTES, refOf, utf8, type Publisher, type Release, type ReleaseOptions } from './publisher.ts'

const PIECES = 8
const BYTES = seededBytes(1, (PIECES - 1) * PIECE_BYTES + 5)
const OTHER_BYTES = seededBytes(2, BYTES.length)
const KIB = 1024
const FAILED_TEST = { predicateType: 'https://in-toto.io/attestation/test-result/v0.1', predicate: { result: 'FAILED' } }

let publisher: Publisher
let release: Release
let good: Uint8Array

beforeAll(async () => {
  publisher = await createPublisher()
  release = await publisher.release(BYTES)
  good = await publisher.catalogue([release])
})

const honest = (id: string, over: Partial<Parameters<typeof createMirror>[1]> = {}) =>
  createMirror(id, { catalogue: good, blobs: release.blobs, ...over })

/** A site with one release as `options` make it, on a fresh machine. */
async function publishedAs(options: ReleaseOptions & { readonly moreBlobs?: readonly Uint8Array[] }) {
  const made = await publisher.release(BYTES, options)
  const catalogue = await publisher.catalogue([made])
  const machine = createMachine(publisher)
  const blobs = [...made.blobs, ...(options.moreBlobs ?? [])]
  const engine = machine.start([createMirror('cdn-1', { catalogue, blobs })])
  return { machine, engine, sha256: made.entry.artifact.sha256 }
}

describe('an artifact is refused and nothing of it kept when', () => {
  test.each<readonly [string, string, () => Promise<ReleaseOptions>]>([
    ['its bundles are about another artifact', 'subject-mismatch', async () => ({ bundles: [await publisher.sign(OTHER_BYTES)] })],
    ['its attestation is about another artifact', 'subject-mismatch', async () => ({ bundles: [await publisher.attest(OTHER_BYTES)] })],
    [
      'somebody else signed it',
      'identity-mismatch',
      async () => ({ bundles: [await publisher.sign(BYTES, { identity: `${IDENTITY}.evil` })] }),
    ],
    [
      'its signer attests that its test failed',
      'provenance-refused',
      async () => ({ bundles: [await publisher.attest(BYTES, {}, FAILED_TEST)] }),
    ],
    [
      'its provenance is empty, and the site requires one',
      'provenance-refused',
      async () => ({ bundles: [await publisher.sign(BYTES), await publisher.attest(BYTES, {}, { predicate: {} })] }),
    ],
    ['nobody signed it', 'signature-missing', async () => ({ bundles: [] })],
    ['it has no provenance, which the site requires', 'provenance-refused', async () => ({ bundles: [await publisher.sign(BYTES)] })],
    [
      'its provenance is of somebody else',
      'provenance-refused',
      async () => ({ bundles: [await publisher.sign(BYTES), await publisher.attest(BYTES, { identity: `${IDENTITY}.evil` })] }),
    ],
  ])('%s: %s', async (_why, code, make) => {
    await expectRefusal(await publishedAs(await make()), code)
  })

  test('co08.piece-list: its pieces are right and its whole is not', async () => {
    await expectRefusal(await publishedWithForgedPieces(), 'artifact-digest')
  })

  test('its manifest does not fit the catalogue', async () => {
    const { engine, machine, sha256 } = await publishedAs({ editManifest: (manifest) => ({ ...manifest, version: '9.9.9' }) })
    expect(await failureOfDelivery(deliver(engine))).toEqual({ code: 'manifest-mismatch', name: 'edge-agent', field: 'version' })
    expect(await isForgotten(machine, sha256)).toBe(true)
  })
})

async function expectRefusal({ machine, engine, sha256 }: Awaited<ReturnType<typeof publishedAs>>, code: string): Promise<void> {
  const failure = await failureOfDelivery(deliver(engine))
  expect(failure).toMatchObject({ code })
  expect(await isForgotten(machine, sha256)).toBe(true)
  const [record, ...more] = await auditOf(engine)
  expect(more).toEqual([])
  expect(record).toMatchObject({ outcome: { kind: 'refused', failure } })
  expect(record?.sources.flatMap((tally) => tally.pieces)).toEqual([])
  expect(await engine.seedable(never)).toEqual([])
}

/** Catalogue, manifest and bundles are about other bytes than those that the piece list names and the source serves. */
async function publishedWithForgedPieces() {
  const { lengthBytes, count, hashes } = makeArtifact(BYTES, PIECE_BYTES).pieces
  const made = await publisher.release(OTHER_BYTES, {
    editManifest: (manifest) => ({ ...manifest, pieces: { kind: 'inline', lengthBytes, count, hashes } }),
  })
  const { sha256 } = made.entry.artifact
  const mirror = createMirror('cdn-1', { catalogue: await publisher.catalogue([made]), blobs: made.blobs })
  const machine = createMachine(publisher)
  return { machine, engine: machine.start([swap(mirror, sha256, BYTES)]), sha256 }
}

/** Makes a source serve `bytes` to whoever asks it for the blob of that digest. */
function swap<M extends Source>(mirror: M, sha256: Sha256, bytes: Uint8Array): M {
  const read = mirror.read.bind(mirror)
  const other = createMirror('swapped', { blobs: [bytes] })
  return Object.assign(mirror, {
    read: (blob: BlobRef, range: ByteRange, signal: AbortSignal) =>
      blob.sha256 === sha256 ? other.read({ ...blob, sha256: sha256Of(bytes) }, range, signal) : read(blob, range, signal),
  })
}

test('a bundle that no source has fails the download, and keeps what arrived for the next one', async () => {
  const made = await publisher.release(BYTES, { withoutBundles: true })
  const machine = createMachine(publisher)
  const engine = machine.start([createMirror('cdn-1', { catalogue: await publisher.catalogue([made]), blobs: made.blobs })])
  expect(await failureOfDelivery(deliver(engine))).toMatchObject({ code: 'blob-unavailable' })
  expect(await machine.stores.lookups.findVerified(made.entry.artifact.sha256, never)).toBeUndefined()
  expect((await auditOf(engine))[0]?.outcome.kind).toBe('failed')
})

describe('the record keeps what was made of every bundle', () => {
  const digestOf = (bundle: object) => sha256Of(utf8(JSON.stringify(bundle)))

  test('of a delivered artifact: a good one is enough beside a bad one, and why the bad one did not count is told', async () => {
    const [bad, fine] = [await publisher.sign(BYTES, { identity: `${IDENTITY}.evil` }), await publisher.attest(BYTES)]
    const { engine } = await publishedAs({ bundles: [bad, fine] })
    const { record, events } = await deliver(engine)
    expect(record.verdicts).toMatchObject([
      { bundle: digestOf(fine), verdict: { form: 'attestation' } },
      { bundle: digestOf(bad), failure: { code: 'identity-mismatch', actual: expect.stringContaining(`${IDENTITY}.evil`) as unknown } },
    ])
    expect(events.find((event) => event.kind === 'signed')).toMatchObject({ verdicts: [{ form: 'attestation' }] })
  })

  test('of a refused one: each with its own reason', async () => {
    const bundles = [await publisher.sign(OTHER_BYTES), await publisher.attest(BYTES, { identity: `${IDENTITY}.evil` })]
    const { engine } = await publishedAs({ bundles })
    expect(await failureOfDelivery(deliver(engine))).toMatchObject({ code: 'subject-mismatch' })
    const [record] = await auditOf(engine)
    expect(record?.outcome).toMatchObject({ kind: 'refused', failure: { code: 'subject-mismatch' } })
    expect(record?.verdicts).toMatchObject([
      { bundle: digestOf(bundles[0] ?? {}), failure: { code: 'subject-mismatch' } },
      { bundle: digestOf(bundles[1] ?? {}), failure: { code: 'identity-mismatch' } },
    ])
  })

  test('of one refused for what is missing: those that passed too', async () => {
    const { engine } = await publishedAs({ bundles: [await publisher.sign(BYTES)] })
    expect(await failureOfDelivery(deliver(engine))).toMatchObject({ code: 'provenance-refused' })
    expect((await auditOf(engine))[0]?.verdicts).toMatchObject([{ verdict: { form: 'message' } }])
  })

  test('also when one file holds more of them than an event may tell', async () => {
    const line = JSON.stringify(await publisher.sign(BYTES))
    const file = utf8(Array.from({ length: 16 }, () => line).join('\n'))
    const { engine } = await publishedAs({
      bundles: [await publisher.attest(BYTES)],
      editManifest: (manifest) => ({ ...manifest, bundles: [...manifest.bundles, { ...refOf(file), kind: 'signature' }] }),
      moreBlobs: [file],
    })
    const { record, events } = await deliver(engine)
    expect(record.verdicts).toHaveLength(17)
    const signed = events.find((event) => event.kind === 'signed')
    // The page refuses a message that says more than it may.
    expect(parseEngineMessage({ type: 'event', call: 1, event: signed })).toMatchObject({ event: signed })
  })
})

describe('a delivered artifact', () => {
  test('has every piece from exactly one source in its record, and the sums are its size', async () => {
    const machine = createMachine(publisher)
    const liar = swap(honest('cdn-1'), release.entry.artifact.sha256, OTHER_BYTES)
    const dying = honest('cdn-2')
    const failure = { code: 'source-unreachable', source: dying.id, phase: 'body', elapsedMs: 1 } as const
    dying.fault = { kind: 'dies', afterBytes: PIECE_BYTES, failure }
    const { record, events } = await deliver(machine.start([liar, dying, honest('cdn-3')]))
    expectWhole(record)
    expect(record.sources.map((tally) => tally.source).toSorted()).toEqual(['cdn-1', 'cdn-2', 'cdn-3'])
    expect(record.sources.find((tally) => tally.source === 'cdn-1')).toMatchObject({
      verifiedBytes: 0,
      failures: [{ code: 'digest-mismatch' }],
    })
    expect(record.sources.find((tally) => tally.source === 'cdn-2')?.failures[0]).toMatchObject({ code: 'source-unreachable' })
    const spans = events.flatMap((event) => (event.kind === 'progress' ? event.pieces : []))
    const told = spans.flatMap((span) => Array.from({ length: span.end - span.start }, (_, i) => span.start + i))
    expect(told.toSorted((a, b) => a - b)).toEqual(Array.from({ length: PIECES }, (_, i) => i))
  })

  test('keeps in its record who served the pieces of an earlier visit', async () => {
    const machine = createMachine(publisher)
    await stopAfter(machine.start([honest('cdn-1', { bytesPerSecond: 512 * KIB })]), 3)
    const kept = machine.index.keptPieces(release.entry.artifact.sha256)
    const { record } = await deliver(machine.start([honest('cdn-2')]))
    expectWhole(record)
    const tally = record.sources.find((one) => one.source === 'cdn-1')
    expect(tally).toMatchObject({ verifiedBytes: kept * PIECE_BYTES, receivedBytes: 0 })
  })

  test('is handed over again from what is kept, without a source, once it was verified', async () => {
    const machine = createMachine(publisher)
    await deliver(machine.start([honest('cdn-1')]))
    const { blob, record } = await deliver(machine.start([]))
    expect(await bytesOf(blob)).toEqual(BYTES)
    expect(record.sources.map((tally) => [tally.source, tally.receivedBytes])).toEqual([['cdn-1', 0]])
  })

  test('is not there before its last piece, its whole digest and its signatures are', async () => {
    const machine = createMachine(publisher)
    const { sha256 } = release.entry.artifact
    const early: DeliveryEvent[] = []
    const looks: Promise<unknown>[] = []
    await machine.start([honest('cdn-1', { bytesPerSecond: 4096 * KIB })]).deliver(
      LATEST,
      (event) => {
        early.push(event)
        looks.push(machine.stores.lookups.findVerified(sha256, never))
      },
      never,
    )
    expect(early.at(-1)).toEqual({ kind: 'phase', phase: 'checking' })
    expect(early.findIndex((event) => event.kind === 'signed')).toBeGreaterThan(0)
    expect((await Promise.all(looks.slice(0, -1))).every((found) => found === undefined)).toBe(true)
    expect(await machine.stores.lookups.findVerified(sha256, never)).toMatchObject({ sizeBytes: BYTES.length })
  })
})

describe('a disk that lies', () => {
  test('costs the altered piece a second fetch, and the file is right', async () => {
    const machine = createMachine(publisher)
    const { sha256 } = release.entry.artifact
    await deliver(machine.start([honest('cdn-1')]))
    await machine.index.alter(sha256, 2)
    const second = honest('cdn-2')
    const { blob, record } = await deliver(machine.start([second]))
    expect(await bytesOf(blob)).toEqual(BYTES)
    expectWhole(record)
    expect(second.asked).toEqual([{ start: 2 * PIECE_BYTES, end: 3 * PIECE_BYTES }])
    expect(record.sources.find((tally) => tally.source === 'cdn-2')?.pieces).toEqual([{ start: 2, end: 3 }])
  })

  test('and no source to repair it from hands nothing over', async () => {
    const machine = createMachine(publisher)
    const { sha256 } = release.entry.artifact
    await deliver(machine.start([honest('cdn-1')]))
    await machine.index.alter(sha256, PIECES - 1)
    expect(await failureOfDelivery(deliver(machine.start([])))).toMatchObject({ code: 'sources-exhausted', missingPieces: 1 })
    expect(await machine.stores.lookups.findVerified(sha256, never)).toBeUndefined()
    const [, record] = await auditOf(machine.start([]))
    expect(record).toMatchObject({ outcome: { kind: 'failed' } })
  })

  test('without end is named, not repaired without end', async () => {
    const machine = createMachine(publisher)
    const { sha256 } = release.entry.artifact
    const { add } = machine.index.blobs
    machine.index.blobs.add = async (digest, pieces, signal) => {
      await add(digest, pieces, signal)
      if (pieces.some(({ flag }) => flag.index === 1)) await machine.index.alter(digest, 1)
    }
    const failure = await failureOfDelivery(deliver(machine.start([honest('cdn-1')])))
    expect(failure).toEqual({ code: 'store-tampered', sha256, piece: 1 })
  })
})

describe('a download that is cancelled', () => {
  test('ends with the reason that was given, keeps its pieces, and says so in the audit', async () => {
    const machine = createMachine(publisher)
    const engine = machine.start([honest('cdn-1', { bytesPerSecond: 512 * KIB })])
    const { reason, caught } = await stopAfter(engine, 2)
    expect(caught).toBe(reason)
    const kept = machine.index.keptPieces(release.entry.artifact.sha256)
    expect(kept).toBeGreaterThanOrEqual(2)
    expect(kept).toBeLessThan(PIECES)
    expect((await auditOf(engine)).map((record) => record.outcome)).toEqual([{ kind: 'cancelled' }])
    const again = honest('cdn-2')
    await deliver(machine.start([again]))
    expect(again.asked.every((range) => range.start >= kept * PIECE_BYTES)).toBe(true)
  })

  test('while it waits for another tab ends at once, and the other goes on', async () => {
    const machine = createMachine(publisher)
    const first = deliver(machine.start([honest('cdn-1', { bytesPerSecond: 1024 * KIB })]))
    const stop = new AbortController()
    const reason = { why: 'the user left' }
    const second = deliver(machine.start([honest('cdn-1')]), LATEST, stop.signal).catch((error: unknown) => error)
    stop.abort(reason)
    expect(await second).toBe(reason)
    expect((await first).record.outcome.kind).toBe('delivered')
  })
})

test('two tabs that want the same artifact fetch each piece once between them, and both get it', async () => {
  const machine = createMachine(publisher)
  const mirrors = [honest('cdn-1', { bytesPerSecond: 8192 * KIB }), honest('cdn-1', { bytesPerSecond: 8192 * KIB })]
  const delivered = await Promise.all(mirrors.map((mirror) => deliver(machine.start([mirror]))))
  for (const { blob, record } of delivered) {
    expect(await bytesOf(blob)).toEqual(BYTES)
    expectWhole(record)
  }
  const asked = mirrors.flatMap((mirror) => mirror.asked.filter((range) => range.end - range.start >= PIECE_BYTES || range.start > 0))
  expect(asked.reduce((sum, range) => sum + range.end - range.start, 0)).toBe(BYTES.length)
})

test('the records of a machine are one chain over tabs, refusals and cancellations', async () => {
  const machine = createMachine(publisher)
  const engines = [machine.start([honest('cdn-1')]), machine.start([honest('cdn-2')])]
  await Promise.all(engines.map((engine) => deliver(engine)))
  const unsigned = await publisher.release(OTHER_BYTES, { bundles: [], version: '2.0.0' })
  const worse = await publisher.catalogue([release, unsigned], { version: publisher.nowSeconds + 60 })
  machine.clock.nowSeconds += 7200
  const engine = machine.start([createMirror('cdn-1', { catalogue: worse, blobs: [...release.blobs, ...unsigned.blobs] })])
  expect(await failureOfDelivery(deliver(engine))).toMatchObject({ code: 'signature-missing' })
  await deliver(engine, { kind: 'digest', sha256: release.entry.artifact.sha256 })
  const records = await auditOf(engine)
  expect(records.map((record) => record.outcome.kind)).toEqual(['delivered', 'delivered', 'refused', 'delivered'])
  expect(records[0]?.previous).toBeUndefined()
  const lines = await engine.audit(never)
  expect(checkChain(lines)).toEqual({ faults: [], remarks: [] })
  expect(checkChain(lines.filter((_, at) => at !== 1)).faults).toMatchObject([{ kind: 'link-broken', line: 2 }])
})

test('an artifact of zero bytes is delivered, with a record that is whole', async () => {
  const empty = await publisher.release(new Uint8Array())
  const machine = createMachine(publisher)
  const { blob, record } = await deliver(
    machine.start([createMirror('cdn-1', { catalogue: await publisher.catalogue([empty]), blobs: empty.blobs })]),
  )
  expect(blob.size).toBe(0)
  expectWhole(record)
})

test('pe11.flag: peers are asked for nothing that the publisher did not mark for them', async () => {
  const made = await publisher.release(BYTES, { mesh: false })
  const machine = createMachine(publisher)
  const catalogue = await publisher.catalogue([made])
  const peer = createMirror('peer:a', { tier: 'mesh', blobs: made.blobs, maxRunPieces: 1 })
  const cdn = createMirror('cdn-1', { catalogue, blobs: made.blobs.slice(1) })
  expect(await failureOfDelivery(deliver(machine.start([cdn, peer])))).toMatchObject({ code: 'sources-exhausted' })
  expect(peer.asked).toEqual([])
})

function expectWhole({ artifact, sources, outcome }: AuditRecord): void {
  const cut = { sizeBytes: artifact.sizeBytes, pieces: { lengthBytes: artifact.pieceLengthBytes, count: artifact.pieces } }
  expect(outcome).toEqual({ kind: 'delivered' })
  expect(findTallyFault(cut, sources)).toBeUndefined()
  expect(isWholeTally(cut, sources)).toBe(true)
  expect(sources.reduce((sum, tally) => sum + tally.verifiedBytes, 0)).toBe(artifact.sizeBytes)
}

type Engine = ReturnType<ReturnType<typeof createMachine>['start']>

/** Calls `act` once, when so many pieces are verified. */
function withFault(engine: Engine, act: () => void, afterPieces: number): Engine {
  let isDone = false
  return {
    ...engine,
    deliver: (request, emit, signal) =>
      engine.deliver(
        request,
        (event) => {
          emit(event)
          if (isDone || event.kind !== 'progress' || event.verifiedBytes < afterPieces * PIECE_BYTES) return
          isDone = true
          act()
        },
        signal,
      ),
  }
}

/** Starts a download and cancels it when so many pieces are verified. */
async function stopAfter(engine: Engine, pieces: number): Promise<{ readonly reason: unknown; readonly caught: unknown }> {
  const stop = new AbortController()
  const reason = { why: toSourceId('the user left') }
  const caught = await deliver(
    withFault(engine, () => stop.abort(reason), pieces),
    LATEST,
    stop.signal,
  ).catch((error: unknown) => error)
  return { reason, caught }
}

test('a full disk does not hide why an artifact was refused', async () => {
  const { machine, engine } = await publishedAs({ bundles: [] })
  machine.index.audit.append = () => Promise.reject(new DeliveryError({ code: 'quota-exceeded', neededBytes: 1 }))
  expect(await failureOfDelivery(deliver(engine))).toMatchObject({ code: 'signature-missing' })
})
