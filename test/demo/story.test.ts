import { expect, test } from 'vitest'
import { createStory } from '../../demo/portal/story.ts'
import type { ArtifactFacts, CatalogueFacts, DeliveryEvent, PieceSpan } from '../../src/core/wire/delivery-event.ts'
import { toArtifactName, toPieceIndex, toSha256, toSourceId } from '../../src/core/model/ids.ts'

const MIB = 2 ** 20
const CDN = toSourceId('cdn-1')
const GATEWAY = toSourceId('gateway')
const artifact: ArtifactFacts = {
  name: toArtifactName('edge-agent'),
  version: '1.0.0',
  platform: undefined,
  filename: 'edge-agent',
  mediaType: 'application/octet-stream',
  sizeBytes: 10 * MIB,
  sha256: toSha256('a'.repeat(64)),
  pieceCount: 10,
  pieceLengthBytes: MIB,
}
const catalogue: CatalogueFacts = {
  version: 1,
  freshness: 'fresh',
  source: CDN,
  expiresAtSeconds: 2,
  nowSeconds: 1,
  isClockSuspect: false,
  signedBy: {
    signer: { kind: 'key', publicKeyPem: 'pem' },
    form: 'message',
    predicateType: undefined,
    provenance: undefined,
    sourceRepository: undefined,
    sourceRef: undefined,
    signedAtSeconds: undefined,
  },
}

const resolved = (...kept: readonly PieceSpan[]): DeliveryEvent => ({ kind: 'resolved', artifact, catalogue, kept })
const served = (start: number, end: number, tier: 'cdn' | 'gateway' = 'cdn'): DeliveryEvent => ({
  kind: 'progress',
  pieces: [{ start, end, source: tier === 'cdn' ? CDN : GATEWAY, tier }],
  verifiedBytes: end * MIB,
  receivedBytes: end * MIB,
  sizeBytes: artifact.sizeBytes,
})
const cut: DeliveryEvent = {
  kind: 'trouble',
  source: CDN,
  tier: 'cdn',
  failure: { code: 'source-unreachable', source: CDN, phase: 'body', elapsedMs: 5 },
  isBanned: false,
}

test('says that a source broke off, how much is kept, and who goes on after how long', () => {
  const story = createStory()
  story.tell(resolved(), 0)
  story.tell(served(0, 4), 1000)
  expect(story.tell(cut, 2000)).toEqual([{ text: 'CDN 1 broke off; 4 of 10 pieces kept', mood: 'bad' }])
  expect(story.news?.isOver).toBe(false)
  expect(story.tell(served(4, 5, 'gateway'), 2300)).toEqual([{ text: 'LAN gateway goes on, 0.3 s later', mood: 'good' }])
  expect(story.news).toEqual({
    text: 'CDN 1 broke off. Nothing is lost: 4 pieces kept. LAN gateway goes on, 0.3 s later.',
    isOver: true,
  })
})

test('tells one fault of a source once, however many requests it breaks', () => {
  const story = createStory()
  story.tell(resolved(), 0)
  expect(story.tell(cut, 10)).toHaveLength(1)
  expect(story.tell(cut, 11)).toHaveLength(0)
  story.tell(served(0, 1), 2000)
  expect(story.tell(cut, 2010)).toHaveLength(1)
})

test('several that fail at the same time are told as one story', () => {
  const story = createStory()
  story.tell(resolved(), 0)
  story.tell(served(0, 1), 10)
  story.tell(cut, 100)
  const failure = { code: 'source-unreachable', source: GATEWAY, phase: 'connect', elapsedMs: 1 } as const
  story.tell({ kind: 'trouble', source: GATEWAY, tier: 'gateway', failure, isBanned: false }, 200)
  expect(story.tell(served(1, 2), 300)).toEqual([])
  expect(story.news?.isOver).toBe(false)
  story.tell(
    {
      kind: 'progress',
      pieces: [{ start: 1, end: 2, source: toSourceId('peer:x'), tier: 'mesh' }],
      verifiedBytes: 2,
      receivedBytes: 2,
      sizeBytes: 10,
    },
    1100,
  )
  expect(story.news?.text).toBe('CDN 1 broke off. LAN gateway does not answer. Nothing is lost: 1 piece kept. Peers go on, 1.0 s later.')
})

test('a source that was at work all the time goes on too, and its own return is no rescue', () => {
  const story = createStory()
  story.tell(resolved(), 0)
  story.tell(served(0, 1), 10)
  story.tell(served(1, 2, 'gateway'), 20)
  story.tell(cut, 1000)
  expect(story.tell(served(2, 3), 1010)).toEqual([])
  expect(story.tell(served(3, 4, 'gateway'), 1020)).toEqual([{ text: 'LAN gateway goes on, at once', mood: 'good' }])
  expect(story.tell(served(4, 5, 'gateway'), 1030)).toEqual([])
  expect(story.tell(served(5, 6), 3000)).toEqual([{ text: 'CDN 1 delivers again', mood: 'plain' }])
})

test('names wrong bytes, the piece, and that the source is asked no more', () => {
  const story = createStory()
  story.tell(resolved(), 0)
  const sha256 = toSha256('b'.repeat(64))
  const failure = { code: 'digest-mismatch', source: CDN, piece: toPieceIndex(6), expected: artifact.sha256, actual: sha256 } as const
  const [line] = story.tell({ kind: 'trouble', source: CDN, tier: 'cdn', failure, isBanned: true }, 10)
  expect(line?.text).toBe('CDN 1 sent wrong bytes for piece 7, which were thrown away, and is not asked again; 0 of 10 pieces kept')
})

test('counts pieces of an earlier visit apart from those that are served now', () => {
  const story = createStory()
  story.tell(resolved({ start: 0, end: 3, source: CDN, tier: 'cdn' }), 0)
  story.tell(served(3, 5), 10)
  expect(Object.fromEntries(story.counts())).toEqual({ kept: 3, 'cdn-1': 2 })
})

test('a pause changes nothing about who served what', () => {
  const story = createStory()
  story.tell(resolved(), 0)
  story.tell(served(0, 2), 10)
  story.tell({ kind: 'phase', phase: 'paused' }, 20)
  expect(story.headline(20)).toBe('Paused. 2 of 10 pieces kept.')
  expect(story.tell(resolved({ start: 0, end: 2, source: CDN, tier: 'cdn' }), 30)).toEqual([])
  expect(Object.fromEntries(story.counts())).toEqual({ 'cdn-1': 2 })
})

test('names the source at work and its speed, and says when it waits', () => {
  const story = createStory()
  story.tell(resolved(), 0)
  story.tell({ kind: 'phase', phase: 'fetching' }, 0)
  expect(story.headline(100)).toBe('Asking the sources …')
  story.tell(served(0, 1), 1000)
  story.tell(served(1, 3), 2000)
  expect(story.headline(2000)).toBe('From CDN 1 · 2.0 MiB/s · 4 s left')
  expect(story.headline(9000)).toBe('Waiting for a source. 3 of 10 pieces kept.')
})
