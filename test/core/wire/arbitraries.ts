/** Any valid message between page, engine and service worker. */

import fc from 'fast-check'
import type { DocumentKind, Failure } from '../../../src/core/errors.ts'
import { isArtifactName, toPieceIndex, toSourceId } from '../../../src/core/model/ids.ts'
import { THREAD_SCRIPTS, type EngineMessage, type PageMessage } from '../../../src/core/wire/bridge-message.ts'
import type { ArtifactFacts, ArtifactRequest, CatalogueFacts, DeliveryEvent, PieceSpan } from '../../../src/core/wire/delivery-event.ts'
import { WORKER_VERSION, type NeedAnswer, type ToPageMessage, type ToWorkerMessage } from '../../../src/core/wire/worker-message.ts'
import type { SignatureVerdict } from '../../../src/core/verify/identity-policy.ts'
import { sha256 } from '../manifest/arbitraries.ts'

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })
const is = <const T>(value: T): fc.Arbitrary<T> => fc.constant(value)
const text = fc.string({ unit: 'binary', maxLength: 40 })
const source = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).map(toSourceId)
const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,8}[a-z0-9]$/).filter(isArtifactName)
const number = fc.nat()
const count = fc.maxSafeNat()
const piece = fc.nat(70_000).map(toPieceIndex)
const bytes = fc.uint8Array({ maxLength: 64 })
const tier = fc.constantFrom('cdn', 'gateway', 'mesh')
const flag = fc.boolean()

const document = fc.constantFrom<DocumentKind>('catalogue', 'manifest', 'piece-list', 'bundle', 'site-config', 'statement', 'trust-update')
const mismatch = { expected: sha256, actual: sha256 }
const detail = { detail: text }

/** One line for each code: a new failure is not forgotten here. `reasons` are failures without reasons. */
const byCode = (
  reasons: fc.Arbitrary<readonly Failure[]>,
): { readonly [C in Failure['code']]: fc.Arbitrary<Extract<Failure, { code: C }>> } => ({
  'source-unreachable': fc.record({
    code: is('source-unreachable'),
    source,
    phase: fc.constantFrom('connect', 'headers', 'body'),
    elapsedMs: number,
  }),
  'source-status': fc.record({ code: is('source-status'), source, status: number, retryAfterSeconds: optional(number) }),
  'source-protocol': fc.record({ code: is('source-protocol'), source, ...detail }),
  'source-length': fc.record({ code: is('source-length'), source, expectedBytes: count, actualBytes: count }),
  'source-timeout': fc.record({
    code: is('source-timeout'),
    source,
    phase: fc.constantFrom('headers', 'stall', 'slow'),
    elapsedMs: number,
  }),
  'source-missing': fc.record({ code: is('source-missing'), source }),
  'source-refused': fc.record({ code: is('source-refused'), source, ...detail, retryMs: optional(number) }),
  'digest-mismatch': fc.record({ code: is('digest-mismatch'), source, piece, ...mismatch }),
  'blob-mismatch': fc.record({ code: is('blob-mismatch'), source, ...mismatch }),
  'gateway-permission': fc.record({ code: is('gateway-permission'), source, state: fc.constantFrom('prompt', 'denied') }),
  'format-invalid': fc.record({ code: is('format-invalid'), document, path: text, ...detail }),
  'format-oversized': fc.record({ code: is('format-oversized'), document, limitBytes: count }),
  'format-unsupported': fc.record({ code: is('format-unsupported'), document, ...detail }),
  'bundle-invalid': fc.record({ code: is('bundle-invalid'), ...detail }),
  'signature-invalid': fc.record({ code: is('signature-invalid'), ...detail }),
  'identity-mismatch': fc.record({ code: is('identity-mismatch'), expected: text, actual: text }),
  'subject-mismatch': fc.record({ code: is('subject-mismatch'), expected: sha256, ...detail }),
  'provenance-refused': fc.record({ code: is('provenance-refused'), ...detail }),
  'signature-missing': fc.record({ code: is('signature-missing'), subject: fc.constantFrom('catalogue', 'artifact', 'trust-update') }),
  'signers-too-few': fc.record({ code: is('signers-too-few'), needed: count, found: count }),
  'catalogue-rollback': fc.record({ code: is('catalogue-rollback'), floor: count, offered: count }),
  'catalogue-equivocation': fc.record({ code: is('catalogue-equivocation'), version: count, known: sha256, offered: sha256 }),
  'catalogue-expired': fc.record({ code: is('catalogue-expired'), expiredAtSeconds: count, nowSeconds: count }),
  'catalogue-future': fc.record({ code: is('catalogue-future'), version: count, nowSeconds: count }),
  'catalogue-repository': fc.record({ code: is('catalogue-repository'), expected: text, offered: text }),
  'artifact-denied': fc.record({ code: is('artifact-denied'), sha256 }),
  'artifact-digest': fc.record({ code: is('artifact-digest'), ...mismatch }),
  'artifact-size': fc.record({ code: is('artifact-size'), expectedBytes: count, actualBytes: count }),
  'manifest-mismatch': fc.record({ code: is('manifest-mismatch'), name, field: text }),
  'trust-refresh-failed': fc.record({ code: is('trust-refresh-failed'), role: text, reason: text, ...detail }),
  'catalogue-unavailable': fc.record({ code: is('catalogue-unavailable'), reasons }),
  'artifact-unknown': fc.record({ code: is('artifact-unknown'), name: text, version: optional(text) }),
  'artifact-ambiguous': fc.record({ code: is('artifact-ambiguous'), name: text, platforms: fc.array(text, { maxLength: 4 }) }),
  'sources-exhausted': fc.record({ code: is('sources-exhausted'), missingPieces: number, reasons }),
  'blob-unavailable': fc.record({ code: is('blob-unavailable'), sha256, reasons }),
  'quota-exceeded': fc.record({ code: is('quota-exceeded'), neededBytes: count }),
  'store-failed': fc.record({ code: is('store-failed'), ...detail }),
  'store-tampered': fc.record({ code: is('store-tampered'), sha256, piece: optional(piece) }),
  'insecure-context': fc.record({ code: is('insecure-context') }),
  'config-invalid': fc.record({ code: is('config-invalid'), path: text, ...detail }),
  'config-unavailable': fc.record({ code: is('config-unavailable'), ...detail }),
  'policy-missing': fc.record({ code: is('policy-missing'), ...detail }),
  'engine-lost': fc.record({ code: is('engine-lost'), ...detail }),
  'still-fetching': fc.record({ code: is('still-fetching'), retryAfterSeconds: number }),
  'no-page': fc.record({ code: is('no-page'), sizeBytes: count }),
  'version-skew': fc.record({ code: is('version-skew'), expected: number, actual: number }),
  'peer-frame': fc.record({ code: is('peer-frame'), ...detail }),
  'peer-proof': fc.record({ code: is('peer-proof'), ...detail }),
  'peer-timeout': fc.record({
    code: is('peer-timeout'),
    phase: fc.constantFrom('connect', 'handshake', 'first-byte', 'gap'),
    elapsedMs: number,
  }),
  'peer-closed': fc.record({ code: is('peer-closed'), ...detail }),
  'signal-invalid': fc.record({ code: is('signal-invalid'), path: text, ...detail }),
  'signal-refused': fc.record({ code: is('signal-refused'), reason: text, retryAfterSeconds: optional(number) }),
  'ticket-invalid': fc.record({ code: is('ticket-invalid'), ...detail }),
  'pairing-refused': fc.record({ code: is('pairing-refused'), reason: fc.constantFrom('unreadable', 'site', 'other-tab'), ...detail }),
  'input-invalid': fc.record({ code: is('input-invalid'), path: text, ...detail }),
  'tool-missing': fc.record({ code: is('tool-missing'), tool: text, ...detail }),
  'publish-conflict': fc.record({ code: is('publish-conflict'), name: text, ...detail }),
})

const anyOf = (reasons: fc.Arbitrary<readonly Failure[]>): fc.Arbitrary<Failure> => fc.oneof(...Object.values(byCode(reasons)))

/** A download's failure names those of its sources, and these name nothing further. */
export const failure: fc.Arbitrary<Failure> = anyOf(fc.array(anyOf(is([])), { maxLength: 3 }))

const request: fc.Arbitrary<ArtifactRequest> = fc.oneof(
  fc.record({ kind: is('name'), name: text, version: optional(text), platform: optional(text), channel: optional(text) }),
  fc.record({ kind: is('digest'), sha256 }),
  fc.record({ kind: is('alias'), url: text }),
)

const verdict: fc.Arbitrary<SignatureVerdict> = fc.record({
  signer: fc.oneof(
    fc.record({ kind: is('certificate'), identity: text, issuer: text }),
    fc.record({ kind: is('key'), publicKeyPem: text }),
  ),
  form: fc.constantFrom('message', 'attestation'),
  predicateType: optional(text),
  provenance: optional(
    fc.record({ builderId: text, buildType: text, sourceUri: optional(text), sourceRef: optional(text), sourceDigest: optional(text) }),
  ),
  sourceRepository: optional(text),
  sourceRef: optional(text),
  sourceDigest: optional(text),
  signedAtSeconds: optional(number),
})

const artifactFacts: fc.Arbitrary<ArtifactFacts> = fc.record({
  name,
  version: text,
  platform: optional(text),
  filename: text,
  mediaType: text,
  sizeBytes: fc.nat(2 ** 31),
  sha256,
  pieceCount: fc.nat(65_536),
  pieceLengthBytes: fc.integer({ min: 1, max: 4 * 1024 * 1024 }),
})

const catalogueFacts: fc.Arbitrary<CatalogueFacts> = fc.record({
  version: fc.integer({ min: 1 }),
  freshness: fc.constantFrom('fresh', 'stale', 'pinned', 'expired'),
  source,
  signedBy: verdict,
  expiresAtSeconds: number,
  nowSeconds: number,
  isClockSuspect: fc.boolean(),
})

const span: fc.Arbitrary<PieceSpan> = fc
  .record({ start: fc.nat(1000), length: fc.integer({ min: 1, max: 1000 }), source, tier })
  .map(({ start, length, ...rest }) => ({ start, end: start + length, ...rest }))
const spans = fc.array(span, { maxLength: 3 })

const event: fc.Arbitrary<DeliveryEvent> = fc.oneof(
  fc.record({ kind: is('phase'), phase: fc.constantFrom('resolving', 'waiting', 'fetching', 'checking', 'paused') }),
  fc.record({ kind: is('resolved'), artifact: artifactFacts, catalogue: catalogueFacts, kept: spans }),
  fc.record({ kind: is('progress'), pieces: spans, verifiedBytes: count, receivedBytes: count, sizeBytes: count }),
  fc.record({ kind: is('trouble'), source, tier, failure, isBanned: flag }),
  fc.record({ kind: is('signed'), verdicts: fc.array(verdict, { maxLength: 3 }) }),
)

const blob = fc.record({ sha256, sizeBytes: fc.nat(2 ** 31) })
const range = (sizeBytes: number): fc.Arbitrary<{ start: number; end: number }> =>
  fc.tuple(fc.nat(sizeBytes), fc.nat(sizeBytes)).map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }))

/** One line for each type of a union: a new message is not forgotten here. */
type ByType<M extends { readonly type: string }> = { readonly [T in M['type']]: fc.Arbitrary<Extract<M, { type: T }>> }

const pageMessages: ByType<PageMessage> = {
  open: fc.record({ type: is('open'), version: number, configUrl: text }),
  deliver: fc.record({ type: is('deliver'), call: count, request }),
  cancel: fc.record({ type: is('cancel'), call: count }),
  online: fc.record({ type: is('online') }),
  list: fc.record({ type: is('list'), call: count }),
  forget: fc.record({ type: is('forget'), call: count, sha256: optional(sha256) }),
  audit: fc.record({ type: is('audit'), call: count }),
  sources: fc.record({
    type: is('sources'),
    sources: fc.array(fc.record({ id: source, tier, maxRunPieces: fc.integer({ min: 1, max: 1024 }), hasCatalogue: flag, isLan: flag }), {
      maxLength: 3,
    }),
    isGrowing: flag,
  }),
  offers: fc.record({ type: is('offers'), source, sha256, bits: fc.oneof(bytes, is('all')) }),
  'read-data': fc.record({ type: is('read-data'), read: count, bytes }),
  'read-end': fc.record({ type: is('read-end'), read: count }),
  'read-failed': fc.record({ type: is('read-failed'), read: count, failure }),
  seeding: fc.record({ type: is('seeding'), isOn: flag }),
  'seed-read': fc.record({ type: is('seed-read'), call: count, sha256, piece: number }),
  'seed-catalogue': fc.record({ type: is('seed-catalogue'), call: count, trust: count }),
}

const site = fc.record({
  repository: text,
  gateways: fc.array(fc.record({ id: text, url: text, addressSpace: optional(fc.constantFrom('local', 'loopback')) }), { maxLength: 2 }),
  mesh: fc.record({
    mode: fc.constantFrom('off', 'lan', 'full', 'relay'),
    signaling: fc.array(text, { maxLength: 2 }),
    ticketUrl: optional(text),
    iceServers: fc.array(fc.record({ urls: text, username: optional(text), credential: optional(text) }), { maxLength: 2 }),
    upload: optional(
      fc.record({
        slots: fc.nat(16),
        wanBytesPerSecond: fc.constantFrom(0, 131_072, 4_000_000),
        lanBytesPerSecond: optional(fc.constantFrom(0, 131_072)),
        sessionBytes: fc.nat(2 ** 31),
      }),
    ),
  }),
})

const listed = fc.record({
  name: text,
  version: text,
  platform: optional(text),
  channel: optional(text),
  sizeBytes: fc.nat(2 ** 31),
  sha256,
  isYanked: flag,
  isDenied: flag,
  aliases: fc.array(text, { maxLength: 2 }),
})

const seedable = fc.record({
  sha256,
  sizeBytes: fc.nat(2 ** 31),
  pieceLengthBytes: fc.integer({ min: 1, max: 4 * 1024 * 1024 }),
  role: fc.constantFrom('artifact', 'document'),
  pieces: fc.oneof(bytes, is('all')),
})

const engineMessages: ByType<EngineMessage> = {
  opened: fc.record({ type: is('opened'), version: number, site, ticket: optional(text) }),
  'open-failed': fc.record({ type: is('open-failed'), failure }),
  event: fc.record({ type: is('event'), call: count, event }),
  // A browser clones a `Blob` as it is; any object stands for it here.
  delivered: fc.record({ type: is('delivered'), call: count, blob: is({}), artifact: artifactFacts, record: bytes }),
  listed: fc.record({ type: is('listed'), call: count, catalogue: catalogueFacts, artifacts: fc.array(listed, { maxLength: 2 }) }),
  done: fc.record({ type: is('done'), call: count }),
  audited: fc.record({ type: is('audited'), call: count, lines: fc.array(text, { maxLength: 3 }) }),
  failed: fc.record({ type: is('failed'), call: count, failure: fc.oneof(failure, is('cancelled')) }),
  needs: fc.record({ type: is('needs'), arePeersWanted: flag, artifacts: fc.array(sha256, { maxLength: 3 }) }),
  read: blob.chain((wanted) => fc.record({ type: is('read'), read: count, source, blob: is(wanted), range: range(wanted.sizeBytes) })),
  'read-catalogue': fc.record({ type: is('read-catalogue'), read: count, source, trust: count, limitBytes: fc.nat(2 * 1024 * 1024) }),
  'read-cancel': fc.record({ type: is('read-cancel'), read: count }),
  banned: fc.record({ type: is('banned'), source }),
  seedable: fc.record({ type: is('seedable'), blobs: fc.array(seedable, { maxLength: 3 }) }),
  'seed-pieces': fc.record({ type: is('seed-pieces'), sha256, pieces: fc.array(fc.nat(65_535).map(toPieceIndex), { maxLength: 3 }) }),
  'seed-bytes': fc.record({ type: is('seed-bytes'), call: count, bytes: optional(bytes) }),
  thread: fc.record({ type: is('thread'), thread: count, script: optional(fc.constantFrom(...THREAD_SCRIPTS)) }),
}

export const PAGE_TYPES = Object.keys(pageMessages)
export const ENGINE_TYPES = Object.keys(engineMessages)

export const pageMessage: fc.Arbitrary<PageMessage> = fc.oneof(...Object.values(pageMessages))
export const engineMessage: fc.Arbitrary<EngineMessage> = fc.oneof(...Object.values(engineMessages))

export const toWorkerMessage: fc.Arbitrary<ToWorkerMessage> = fc.record({
  sealift: is(WORKER_VERSION),
  type: fc.constantFrom('claim', 'activate', 'ping', 'refresh'),
})
export const toPageMessage: fc.Arbitrary<ToPageMessage> = fc.record({ sealift: is(WORKER_VERSION), type: is('need'), request })
export const needAnswer: fc.Arbitrary<NeedAnswer> = fc.oneof(
  fc.record({ type: is('accepted') }),
  fc.record({ type: is('ready'), sha256, blob: is({}), filename: fc.constantFrom('agent', 'agent-1.2.3.tar.gz'), mediaType: text }),
  fc.record({ type: is('failed'), failure }),
)
