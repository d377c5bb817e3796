import type { ArtifactName, PieceIndex, Sha256, SourceId } from './model/ids.ts'

/** Why bytes from one source could not be used. To a script most network faults look alike, so no cause is claimed. */
export type SourceFailure =
  | {
      readonly code: 'source-unreachable'
      readonly source: SourceId
      readonly phase: 'connect' | 'headers' | 'body'
      readonly elapsedMs: number
    }
  | { readonly code: 'source-status'; readonly source: SourceId; readonly status: number; readonly retryAfterSeconds: number | undefined }
  | { readonly code: 'source-protocol'; readonly source: SourceId; readonly detail: string }
  | { readonly code: 'source-length'; readonly source: SourceId; readonly expectedBytes: number; readonly actualBytes: number }
  | { readonly code: 'source-timeout'; readonly source: SourceId; readonly phase: 'headers' | 'stall' | 'slow'; readonly elapsedMs: number }
  | { readonly code: 'source-missing'; readonly source: SourceId }
  /** `retryMs`: it is well but busy, and may be asked again after so long. */
  | { readonly code: 'source-refused'; readonly source: SourceId; readonly detail: string; readonly retryMs: number | undefined }
  | {
      readonly code: 'digest-mismatch'
      readonly source: SourceId
      readonly piece: PieceIndex
      readonly expected: Sha256
      readonly actual: Sha256
    }
  | { readonly code: 'blob-mismatch'; readonly source: SourceId; readonly expected: Sha256; readonly actual: Sha256 }
  | { readonly code: 'gateway-permission'; readonly source: SourceId; readonly state: 'prompt' | 'denied' }

/** Why a published document or a signature was refused. */
export type TrustFailure =
  | { readonly code: 'format-invalid'; readonly document: DocumentKind; readonly path: string; readonly detail: string }
  | { readonly code: 'format-oversized'; readonly document: DocumentKind; readonly limitBytes: number }
  | { readonly code: 'format-unsupported'; readonly document: DocumentKind; readonly detail: string }
  | { readonly code: 'bundle-invalid'; readonly detail: string }
  | { readonly code: 'signature-invalid'; readonly detail: string }
  | { readonly code: 'identity-mismatch'; readonly expected: string; readonly actual: string }
  | { readonly code: 'subject-mismatch'; readonly expected: Sha256; readonly detail: string }
  | { readonly code: 'provenance-refused'; readonly detail: string }
  | { readonly code: 'signature-missing'; readonly subject: 'catalogue' | 'artifact' | 'trust-update' }
  | { readonly code: 'signers-too-few'; readonly needed: number; readonly found: number }
  | { readonly code: 'catalogue-rollback'; readonly floor: number; readonly offered: number }
  | { readonly code: 'catalogue-equivocation'; readonly version: number; readonly known: Sha256; readonly offered: Sha256 }
  | { readonly code: 'catalogue-expired'; readonly expiredAtSeconds: number; readonly nowSeconds: number }
  | { readonly code: 'catalogue-future'; readonly version: number; readonly nowSeconds: number }
  | { readonly code: 'catalogue-repository'; readonly expected: string; readonly offered: string }
  | { readonly code: 'artifact-denied'; readonly sha256: Sha256 }
  | { readonly code: 'artifact-digest'; readonly expected: Sha256; readonly actual: Sha256 }
  | { readonly code: 'artifact-size'; readonly expectedBytes: number; readonly actualBytes: number }
  | { readonly code: 'manifest-mismatch'; readonly name: ArtifactName; readonly field: string }
  | { readonly code: 'trust-refresh-failed'; readonly role: string; readonly reason: string; readonly detail: string }

/** Why a request ended without a file. */
export type RequestFailure =
  | { readonly code: 'catalogue-unavailable'; readonly reasons: readonly Failure[] }
  | { readonly code: 'artifact-unknown'; readonly name: string; readonly version: string | undefined }
  | { readonly code: 'artifact-ambiguous'; readonly name: string; readonly platforms: readonly string[] }
  | { readonly code: 'sources-exhausted'; readonly missingPieces: number; readonly reasons: readonly Failure[] }
  | { readonly code: 'blob-unavailable'; readonly sha256: Sha256; readonly reasons: readonly Failure[] }
  | { readonly code: 'quota-exceeded'; readonly neededBytes: number }
  | { readonly code: 'store-failed'; readonly detail: string }
  | { readonly code: 'store-tampered'; readonly sha256: Sha256; readonly piece: PieceIndex | undefined }
  | { readonly code: 'insecure-context' }
  | { readonly code: 'config-invalid'; readonly path: string; readonly detail: string }
  | { readonly code: 'config-unavailable'; readonly detail: string }
  | { readonly code: 'policy-missing'; readonly detail: string }
  | { readonly code: 'engine-lost'; readonly detail: string }
  | { readonly code: 'still-fetching'; readonly retryAfterSeconds: number }
  | { readonly code: 'no-page'; readonly sizeBytes: number }
  | { readonly code: 'version-skew'; readonly expected: number; readonly actual: number }

/** Why a peer link or the signaling server said no. */
export type PeerFailure =
  | { readonly code: 'peer-frame'; readonly detail: string }
  | { readonly code: 'peer-proof'; readonly detail: string }
  | { readonly code: 'peer-timeout'; readonly phase: 'connect' | 'handshake' | 'first-byte' | 'gap'; readonly elapsedMs: number }
  | { readonly code: 'peer-closed'; readonly detail: string }
  | { readonly code: 'signal-invalid'; readonly path: string; readonly detail: string }
  | { readonly code: 'signal-refused'; readonly reason: string; readonly retryAfterSeconds: number | undefined }
  | { readonly code: 'ticket-invalid'; readonly detail: string }
  | { readonly code: 'pairing-refused'; readonly reason: PairingRefusal; readonly detail: string }

/**
 * What is wrong with a pairing code, or with pairing here and now: it cannot be read, is of another version, of another site, of the wrong
 * side, an answer to another code, too old; or the answering browser stopped waiting, this one may not pair, has no address to name, or another tab of it holds the connections.
 */
export type PairingRefusal =
  | 'unreadable'
  | 'version'
  | 'site'
  | 'side'
  | 'pairing'
  | 'expired'
  | 'gave-up'
  | 'not-allowed'
  | 'no-address'
  | 'other-tab'

/** Why a command of the publisher's or operator's side could not do its work. */
export type OperatorFailure =
  | { readonly code: 'input-invalid'; readonly path: string; readonly detail: string }
  | { readonly code: 'tool-missing'; readonly tool: string; readonly detail: string }
  | { readonly code: 'publish-conflict'; readonly name: string; readonly detail: string }

export type Failure = SourceFailure | TrustFailure | RequestFailure | PeerFailure | OperatorFailure

export type DocumentKind =
  | 'catalogue'
  | 'manifest'
  | 'piece-list'
  | 'bundle'
  | 'site-config'
  | 'trusted-root'
  | 'audit-record'
  | 'bridge-message'
  | 'ticket'
  | 'statement'
  | 'trust-update'

/** What a failure means for the next step. One table, so that two rooms never decide differently. */
export interface Handling {
  /** Another source may still have it. */
  readonly tryNextSource: boolean
  /** This source lied: it is not asked again in this session. */
  readonly banSource: boolean
  /** The publisher's word, or the lack of it, is against these bytes: nothing of them is kept. */
  readonly isRefusal: boolean
  /** What an intercepted request is answered with. */
  readonly httpStatus: number
  /** What the person in front of the page can do. */
  readonly nextStep: string
}

const retryable = (httpStatus: number, nextStep: string): Handling => ({
  tryNextSource: true,
  banSource: false,
  isRefusal: false,
  httpStatus,
  nextStep,
})
const lying = (nextStep: string): Handling => ({ tryNextSource: true, banSource: true, isRefusal: false, httpStatus: 502, nextStep })
const final = (httpStatus: number, nextStep: string): Handling => ({
  tryNextSource: false,
  banSource: false,
  isRefusal: false,
  httpStatus,
  nextStep,
})
const refused = (httpStatus: number, nextStep: string): Handling => ({ ...final(httpStatus, nextStep), isRefusal: true })

const OTHER_SOURCE = 'Nothing to do: the next source is being tried. If all fail, check the network of this machine.'
const REPORT = 'Do not install from elsewhere. Tell the publisher, with the audit record.'
const PUBLISH_AGAIN = 'Tell the publisher: the file has to be published again.'

export const HANDLING: Readonly<Record<Failure['code'], Handling>> = {
  'source-unreachable': retryable(504, OTHER_SOURCE),
  'source-status': retryable(504, OTHER_SOURCE),
  'source-protocol': retryable(502, OTHER_SOURCE),
  'source-length': retryable(502, OTHER_SOURCE),
  'source-timeout': retryable(504, OTHER_SOURCE),
  'source-missing': retryable(404, OTHER_SOURCE),
  'source-refused': retryable(504, OTHER_SOURCE),
  'digest-mismatch': lying('Nothing to do: the source sent wrong bytes and is not asked again. The record names it.'),
  'blob-mismatch': lying('Nothing to do: the source sent wrong bytes and is not asked again. The record names it.'),
  'gateway-permission': retryable(504, 'Allow this page to reach the local network, then try again.'),
  'format-invalid': refused(502, PUBLISH_AGAIN),
  'format-oversized': refused(502, PUBLISH_AGAIN),
  'format-unsupported': refused(502, 'Update this page: the publisher uses a newer format.'),
  'bundle-invalid': refused(502, REPORT),
  'signature-invalid': refused(502, REPORT),
  'identity-mismatch': refused(502, REPORT),
  'subject-mismatch': refused(502, REPORT),
  'provenance-refused': refused(502, REPORT),
  'signature-missing': refused(502, 'Tell the publisher: the signature has to be published beside the file.'),
  'signers-too-few': refused(502, REPORT),
  'catalogue-rollback': refused(502, 'Wait for an up-to-date source, or tell the publisher that one serves an old catalogue.'),
  'catalogue-equivocation': refused(502, REPORT),
  'catalogue-expired': final(502, 'Wait until the publisher is reachable again, or ask for the file by its digest.'),
  'catalogue-future': refused(502, 'Check the clock of this machine. If it is right, tell the publisher.'),
  'catalogue-repository': refused(502, REPORT),
  'artifact-denied': refused(410, 'This file was withdrawn. Ask for a newer version.'),
  'artifact-digest': refused(502, REPORT),
  'artifact-size': refused(502, REPORT),
  'manifest-mismatch': refused(502, PUBLISH_AGAIN),
  'trust-refresh-failed': final(502, 'Nothing to do: downloads go on with the trusted roots that are at hand.'),
  'catalogue-unavailable': final(504, 'Check the network of this machine. The catalogue is asked for again when it is back.'),
  'artifact-unknown': final(404, 'Check the name and the version against the list of what is published.'),
  'artifact-ambiguous': final(400, 'Say which platform you want.'),
  'sources-exhausted': final(504, 'What arrived is kept. Try again, allow sharing with other tabs, or reach the local gateway.'),
  'blob-unavailable': final(504, 'Try again, or tell the publisher which file is missing.'),
  'quota-exceeded': final(507, 'Free disk space on this machine, then try again.'),
  'store-failed': final(500, 'Reload the page. If it stays, clear the stored data of this site.'),
  'store-tampered': final(502, 'Nothing to do: the altered piece is fetched again.'),
  'insecure-context': final(500, 'Open the page over https.'),
  'config-invalid': final(500, 'Tell the operator of this page: its sealift.json is wrong.'),
  'config-unavailable': final(504, 'Reload the page once its own origin answers again.'),
  'policy-missing': final(500, 'Tell the operator of this page: it does not say whose signature to trust.'),
  'engine-lost': final(500, 'Reload the page; what arrived is kept.'),
  'still-fetching': final(503, 'Ask again: the pieces that arrived are kept.'),
  'no-page': final(503, 'Open the portal in a tab, then ask again.'),
  'version-skew': final(503, 'Reload the page: it and its service worker are of different versions.'),
  'peer-frame': lying('Nothing to do: the peer broke the protocol and is not asked again.'),
  'peer-proof': lying('Nothing to do: the peer could not prove that it belongs here.'),
  'peer-timeout': retryable(504, OTHER_SOURCE),
  'peer-closed': retryable(504, OTHER_SOURCE),
  'signal-invalid': retryable(504, OTHER_SOURCE),
  'signal-refused': retryable(504, 'Visit the portal once while it is up, so that this browser gets a membership ticket.'),
  'ticket-invalid': retryable(504, 'Visit the portal once while it is up, so that this browser gets a membership ticket.'),
  'pairing-refused': final(
    400,
    'Make a new code in one browser and enter it whole in the other, both on this site and within ten minutes.',
  ),
  'input-invalid': final(400, 'Correct the file, folder or option that is named, then run the command again.'),
  'tool-missing': final(500, 'Install what is named, at the version that is named, then run the command again.'),
  'publish-conflict': final(409, 'Publish the changed file under a new version, or replace the catalogue.'),
}

/**
 * The one error that Sealift throws for anything but a programmer's mistake or a cancellation.
 * Its `failure` is plain data, because `postMessage` turns any subclass into `Error` and drops its fields.
 */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError'
  readonly failure: Failure

  constructor(failure: Failure, options?: { readonly cause?: unknown }) {
    super(describeFailure(failure), options)
    this.failure = failure
  }

  get code(): Failure['code'] {
    return this.failure.code
  }

  get nextStep(): string {
    return HANDLING[this.failure.code].nextStep
  }
}

/**
 * The failure that an unknown thrown value stands for, or undefined when it is not one of ours.
 * @example
 * try {
 *   await readConfig('public/sealift.json', AbortSignal.timeout(10_000))
 * } catch (error) {
 *   const failure = failureOf(error)
 *   if (failure === undefined) throw error
 *   console.error(describeFailure(failure))
 * }
 */
export function failureOf(error: unknown): Failure | undefined {
  return error instanceof DeliveryError ? error.failure : undefined
}

/**
 * One line for a log or a screen: the code, then what is known.
 * @example
 * console.log(describeFailure({ code: 'artifact-unknown', name: 'agent', version: undefined })) // artifact-unknown: name=agent, version=undefined
 */
export function describeFailure(failure: Failure): string {
  const { code, ...rest } = failure
  const facts = Object.entries(rest).map(([key, value]) => `${key}=${describeValue(value)}`)
  return facts.length === 0 ? code : `${code}: ${facts.join(', ')}`
}

function describeValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(describeValue).join('; ')}]`
  if (typeof value === 'object' && value !== null && 'code' in value) return String(value.code)
  return String(value)
}
