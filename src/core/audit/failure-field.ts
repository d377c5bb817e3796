import { HANDLING, type DocumentKind, type Failure } from '../errors.ts'
import { isArtifactName, toPieceIndex, toSourceId, type ArtifactName, type PieceIndex, type Sha256, type SourceId } from '../model/ids.ts'
import { readSha256 } from '../manifest/blob-field.ts'
import type { JsonField, MemberReader } from '../json/json-field.ts'
import { AUDIT_LIMITS } from './audit-limits.ts'

type Code = Failure['code']
/** Every member that some failure has. */
type Member<F> = F extends Failure ? Exclude<keyof F, 'code'> : never
type Read = MemberReader<Member<Failure>>
type Readers = { readonly [C in Code]: (read: Read, depth: number) => Extract<Failure, { code: C }> }

const isCode = (text: unknown): text is Code => typeof text === 'string' && Object.hasOwn(HANDLING, text)

/** A failure as plain JSON: `code`, then the members of that code. @throws {DeliveryError} what `field` refuses with */
export function readFailure(field: JsonField): Failure {
  return readAtDepth(field, 0)
}

/** @param depth how many failures this one is a reason of */
function readAtDepth(field: JsonField, depth: number): Failure {
  const code = field.object(['code'])('code').checked(isCode, 'a failure code of docs/errors.md')
  // A failure has no critical members: which ones count is what its code says.
  return READERS[code](field.object<Member<Failure>>([]), depth)
}

/** An origin, a gateway or a peer, as a record names it. */
export function readSource(field: JsonField): SourceId {
  const text = field.text(200)
  if (text === '') throw field.refuse('expected the name of a source')
  return toSourceId(text)
}

export function readName(field: JsonField): ArtifactName {
  return field.checked(isArtifactName, 'lower-case letters, digits and . _ -')
}

const source = (read: Read): SourceId => readSource(read('source'))
const detail = (read: Read): string => read('detail').text()
const elapsedMs = (read: Read): number => read('elapsedMs').number()
const digest = (field: JsonField): Sha256 => readSha256(field)
const piece = (field: JsonField): PieceIndex => toPieceIndex(field.integer(0))
/** Reasons of reasons end: over a port, a failure may even be its own. */
const reasons = (read: Read, depth: number): readonly Failure[] =>
  read('reasons')
    .list(depth < AUDIT_LIMITS.reasonDepth ? AUDIT_LIMITS.reasons : 0)
    .map((field) => readAtDepth(field, depth + 1))
const retryAfterSeconds = (read: Read): number | undefined => read('retryAfterSeconds').optional((field) => field.number())
const isDocument = (text: unknown): text is DocumentKind => typeof text === 'string' && Object.hasOwn(DOCUMENTS, text)
const kind = (read: Read): DocumentKind => read('document').checked(isDocument, 'a kind of document')

const DOCUMENTS: Readonly<Record<DocumentKind, true>> = {
  catalogue: true,
  manifest: true,
  'piece-list': true,
  bundle: true,
  'site-config': true,
  'trusted-root': true,
  'audit-record': true,
  'bridge-message': true,
  ticket: true,
  statement: true,
}

/** One line for each code; a code without one does not compile. */
const READERS: Readers = {
  'source-unreachable': (read) => ({
    code: 'source-unreachable',
    source: source(read),
    phase: read('phase').oneOf(['connect', 'headers', 'body']),
    elapsedMs: elapsedMs(read),
  }),
  'source-status': (read) => ({
    code: 'source-status',
    source: source(read),
    status: read('status').number(),
    retryAfterSeconds: retryAfterSeconds(read),
  }),
  'source-protocol': (read) => ({ code: 'source-protocol', source: source(read), detail: detail(read) }),
  'source-length': (read) => ({
    code: 'source-length',
    source: source(read),
    expectedBytes: read('expectedBytes').number(),
    actualBytes: read('actualBytes').number(),
  }),
  'source-timeout': (read) => ({
    code: 'source-timeout',
    source: source(read),
    phase: read('phase').oneOf(['headers', 'stall', 'slow']),
    elapsedMs: elapsedMs(read),
  }),
  'source-missing': (read) => ({ code: 'source-missing', source: source(read) }),
  'source-refused': (read) => ({ code: 'source-refused', source: source(read), detail: detail(read) }),
  'digest-mismatch': (read) => ({
    code: 'digest-mismatch',
    source: source(read),
    piece: piece(read('piece')),
    expected: digest(read('expected')),
    actual: digest(read('actual')),
  }),
  'blob-mismatch': (read) => ({
    code: 'blob-mismatch',
    source: source(read),
    expected: digest(read('expected')),
    actual: digest(read('actual')),
  }),
  'gateway-permission': (read) => ({ code: 'gateway-permission', source: source(read), state: read('state').oneOf(['prompt', 'denied']) }),
  'format-invalid': (read) => ({ code: 'format-invalid', document: kind(read), path: read('path').text(), detail: detail(read) }),
  'format-oversized': (read) => ({ code: 'format-oversized', document: kind(read), limitBytes: read('limitBytes').number() }),
  'format-unsupported': (read) => ({ code: 'format-unsupported', document: kind(read), detail: detail(read) }),
  'bundle-invalid': (read) => ({ code: 'bundle-invalid', detail: detail(read) }),
  'signature-invalid': (read) => ({ code: 'signature-invalid', detail: detail(read) }),
  'identity-mismatch': (read) => ({ code: 'identity-mismatch', expected: read('expected').text(), actual: read('actual').text() }),
  'subject-mismatch': (read) => ({ code: 'subject-mismatch', expected: digest(read('expected')), detail: detail(read) }),
  'provenance-refused': (read) => ({ code: 'provenance-refused', detail: detail(read) }),
  'signers-too-few': (read) => ({ code: 'signers-too-few', needed: read('needed').integer(0), found: read('found').integer(0) }),
  'signature-missing': (read) => ({ code: 'signature-missing', subject: read('subject').oneOf(['catalogue', 'artifact']) }),
  'catalogue-rollback': (read) => ({ code: 'catalogue-rollback', floor: read('floor').number(), offered: read('offered').number() }),
  'catalogue-equivocation': (read) => ({
    code: 'catalogue-equivocation',
    version: read('version').number(),
    known: digest(read('known')),
    offered: digest(read('offered')),
  }),
  'catalogue-expired': (read) => ({
    code: 'catalogue-expired',
    expiredAtSeconds: read('expiredAtSeconds').number(),
    nowSeconds: read('nowSeconds').number(),
  }),
  'catalogue-future': (read) => ({ code: 'catalogue-future', version: read('version').number(), nowSeconds: read('nowSeconds').number() }),
  'catalogue-repository': (read) => ({ code: 'catalogue-repository', expected: read('expected').text(), offered: read('offered').text() }),
  'artifact-denied': (read) => ({ code: 'artifact-denied', sha256: digest(read('sha256')) }),
  'artifact-digest': (read) => ({ code: 'artifact-digest', expected: digest(read('expected')), actual: digest(read('actual')) }),
  'artifact-size': (read) => ({
    code: 'artifact-size',
    expectedBytes: read('expectedBytes').number(),
    actualBytes: read('actualBytes').number(),
  }),
  'manifest-mismatch': (read) => ({ code: 'manifest-mismatch', name: readName(read('name')), field: read('field').text() }),
  'catalogue-unavailable': (read, depth) => ({ code: 'catalogue-unavailable', reasons: reasons(read, depth) }),
  'artifact-unknown': (read) => ({
    code: 'artifact-unknown',
    name: read('name').text(),
    version: read('version').optional((field) => field.text()),
  }),
  'artifact-ambiguous': (read) => ({
    code: 'artifact-ambiguous',
    name: read('name').text(),
    platforms: read('platforms')
      .list(AUDIT_LIMITS.reasons)
      .map((item) => item.text()),
  }),
  'sources-exhausted': (read, depth) => ({
    code: 'sources-exhausted',
    missingPieces: read('missingPieces').number(),
    reasons: reasons(read, depth),
  }),
  'blob-unavailable': (read, depth) => ({ code: 'blob-unavailable', sha256: digest(read('sha256')), reasons: reasons(read, depth) }),
  'quota-exceeded': (read) => ({ code: 'quota-exceeded', neededBytes: read('neededBytes').number() }),
  'store-failed': (read) => ({ code: 'store-failed', detail: detail(read) }),
  'store-tampered': (read) => ({ code: 'store-tampered', sha256: digest(read('sha256')), piece: read('piece').optional(piece) }),
  'insecure-context': () => ({ code: 'insecure-context' }),
  'config-invalid': (read) => ({ code: 'config-invalid', path: read('path').text(), detail: detail(read) }),
  'config-unavailable': (read) => ({ code: 'config-unavailable', detail: detail(read) }),
  'policy-missing': (read) => ({ code: 'policy-missing', detail: detail(read) }),
  'engine-lost': (read) => ({ code: 'engine-lost', detail: detail(read) }),
  'still-fetching': (read) => ({ code: 'still-fetching', retryAfterSeconds: read('retryAfterSeconds').number() }),
  'no-page': (read) => ({ code: 'no-page', sizeBytes: read('sizeBytes').number() }),
  'version-skew': (read) => ({ code: 'version-skew', expected: read('expected').number(), actual: read('actual').number() }),
  'peer-frame': (read) => ({ code: 'peer-frame', detail: detail(read) }),
  'peer-proof': (read) => ({ code: 'peer-proof', detail: detail(read) }),
  'peer-timeout': (read) => ({
    code: 'peer-timeout',
    phase: read('phase').oneOf(['connect', 'handshake', 'first-byte', 'gap']),
    elapsedMs: elapsedMs(read),
  }),
  'peer-closed': (read) => ({ code: 'peer-closed', detail: detail(read) }),
  'signal-invalid': (read) => ({ code: 'signal-invalid', path: read('path').text(), detail: detail(read) }),
  'signal-refused': (read) => ({ code: 'signal-refused', reason: read('reason').text(), retryAfterSeconds: retryAfterSeconds(read) }),
  'ticket-invalid': (read) => ({ code: 'ticket-invalid', detail: detail(read) }),
  'input-invalid': (read) => ({ code: 'input-invalid', path: read('path').text(), detail: detail(read) }),
  'tool-missing': (read) => ({ code: 'tool-missing', tool: read('tool').text(), detail: detail(read) }),
  'publish-conflict': (read) => ({ code: 'publish-conflict', name: read('name').text(), detail: detail(read) }),
}
