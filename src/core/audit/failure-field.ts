import { HANDLING, type DocumentKind, type Failure, type PairingRefusal } from '../errors.ts'
import { isArtifactName, toPieceIndex, toSourceId, type ArtifactName, type PieceIndex, type SourceId } from '../model/ids.ts'
import { readSha256 } from '../manifest/blob-field.ts'
import type { JsonField } from '../json/json-field.ts'
import { AUDIT_LIMITS } from './audit-limits.ts'

type Code = Failure['code']
/** How each member of a failure is read. @param depth how many failures this one is a reason of */
type MembersOf<F> = { readonly [M in Exclude<keyof F, 'code'>]: (field: JsonField, depth: number) => F[M] }
type Members = { readonly [C in Code]: MembersOf<Extract<Failure, { code: C }>> }

const isCode = (text: unknown): text is Code => typeof text === 'string' && Object.hasOwn(HANDLING, text)

/** A failure as plain JSON: `code`, then the members of that code. @throws {DeliveryError} what `field` refuses with */
export function readFailure(field: JsonField): Failure {
  return readAtDepth(field, 0)
}

/** @param depth how many failures this one is a reason of */
function readAtDepth(field: JsonField, depth: number): Failure {
  const code = field.object(['code'])('code').checked(isCode, 'a failure code of docs/errors.md')
  // A failure has no critical members: which ones count is what its code says.
  const read = field.object<string>([])
  const members: Readonly<Record<string, (field: JsonField, depth: number) => unknown>> = MEMBERS[code]
  const entries: unknown[][] = Object.entries(members).map(([name, readMember]) => [name, readMember(read(name), depth)])
  // What `MEMBERS` says that each member is; from entries of any length the compiler takes it as given.
  return Object.fromEntries([['code', code], ...entries])
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

const text = (field: JsonField): string => field.text()
const number = (field: JsonField): number => field.number()
const optionalNumber = (field: JsonField): number | undefined => field.optional(number)
const count = (field: JsonField): number => field.integer(0)
const piece = (field: JsonField): PieceIndex => toPieceIndex(field.integer(0))
/** Reasons of reasons end: over a port, a failure may even be its own. */
const reasons = (field: JsonField, depth: number): readonly Failure[] =>
  field.list(depth < AUDIT_LIMITS.reasonDepth ? AUDIT_LIMITS.reasons : 0).map((item) => readAtDepth(item, depth + 1))
const isDocument = (name: unknown): name is DocumentKind => typeof name === 'string' && Object.hasOwn(DOCUMENTS, name)
const kind = (field: JsonField): DocumentKind => field.checked(isDocument, 'a kind of document')

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
  'trust-update': true,
}

const PAIRING_REFUSALS: Readonly<Record<PairingRefusal, true>> = {
  unreadable: true,
  version: true,
  site: true,
  side: true,
  pairing: true,
  expired: true,
  'gave-up': true,
  'not-allowed': true,
  'no-address': true,
  'other-tab': true,
}
const isPairingRefusal = (name: unknown): name is PairingRefusal => typeof name === 'string' && Object.hasOwn(PAIRING_REFUSALS, name)

/** One line for each code; a code without one does not compile, nor one that misses a member. */
const MEMBERS: Members = {
  'source-unreachable': { source: readSource, phase: (field) => field.oneOf(['connect', 'headers', 'body']), elapsedMs: number },
  'source-status': { source: readSource, status: number, retryAfterSeconds: optionalNumber },
  'source-protocol': { source: readSource, detail: text },
  'source-length': { source: readSource, expectedBytes: number, actualBytes: number },
  'source-timeout': { source: readSource, phase: (field) => field.oneOf(['headers', 'stall', 'slow']), elapsedMs: number },
  'source-missing': { source: readSource },
  'source-refused': { source: readSource, detail: text, retryMs: optionalNumber },
  'digest-mismatch': { source: readSource, piece, expected: readSha256, actual: readSha256 },
  'blob-mismatch': { source: readSource, expected: readSha256, actual: readSha256 },
  'gateway-permission': { source: readSource, state: (field) => field.oneOf(['prompt', 'denied']) },
  'format-invalid': { document: kind, path: text, detail: text },
  'format-oversized': { document: kind, limitBytes: number },
  'format-unsupported': { document: kind, detail: text },
  'bundle-invalid': { detail: text },
  'signature-invalid': { detail: text },
  'identity-mismatch': { expected: text, actual: text },
  'subject-mismatch': { expected: readSha256, detail: text },
  'provenance-refused': { detail: text },
  'signers-too-few': { needed: count, found: count },
  'signature-missing': { subject: (field) => field.oneOf(['catalogue', 'artifact', 'trust-update']) },
  'catalogue-rollback': { floor: number, offered: number },
  'catalogue-equivocation': { version: number, known: readSha256, offered: readSha256 },
  'catalogue-expired': { expiredAtSeconds: number, nowSeconds: number },
  'catalogue-future': { version: number, nowSeconds: number },
  'catalogue-repository': { expected: text, offered: text },
  'artifact-denied': { sha256: readSha256 },
  'artifact-digest': { expected: readSha256, actual: readSha256 },
  'artifact-size': { expectedBytes: number, actualBytes: number },
  'manifest-mismatch': { name: readName, field: text },
  'trust-refresh-failed': { role: text, reason: text, detail: text },
  'catalogue-unavailable': { reasons },
  'artifact-unknown': { name: text, version: (field) => field.optional(text) },
  'artifact-ambiguous': { name: text, platforms: (field) => field.list(AUDIT_LIMITS.reasons).map(text) },
  'sources-exhausted': { missingPieces: number, reasons },
  'blob-unavailable': { sha256: readSha256, reasons },
  'quota-exceeded': { neededBytes: number },
  'store-failed': { detail: text },
  'store-tampered': { sha256: readSha256, piece: (field) => field.optional(piece) },
  'insecure-context': {},
  'config-invalid': { path: text, detail: text },
  'config-unavailable': { detail: text },
  'policy-missing': { detail: text },
  'engine-lost': { detail: text },
  'still-fetching': { retryAfterSeconds: number },
  'no-page': { sizeBytes: number },
  'version-skew': { expected: number, actual: number },
  'peer-frame': { detail: text },
  'peer-proof': { detail: text },
  'peer-timeout': { phase: (field) => field.oneOf(['connect', 'handshake', 'first-byte', 'gap']), elapsedMs: number },
  'peer-closed': { detail: text },
  'signal-invalid': { path: text, detail: text },
  'signal-refused': { reason: text, retryAfterSeconds: optionalNumber },
  'ticket-invalid': { detail: text },
  'pairing-refused': { reason: (field) => field.checked(isPairingRefusal, 'why pairing is refused'), detail: text },
  'input-invalid': { path: text, detail: text },
  'tool-missing': { tool: text, detail: text },
  'publish-conflict': { name: text, detail: text },
}
