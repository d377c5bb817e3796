/** In-toto statements and the SLSA provenance in them. What they say is the signer's claim: prefer the certificate where both speak. */

import { DeliveryError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { isSha256, type Sha256 } from '../model/ids.ts'

/** DSSE payload type of an in-toto statement. */
export const IN_TOTO_PAYLOAD_TYPE = 'application/vnd.in-toto+json'

const STATEMENT_TYPES: ReadonlySet<unknown> = new Set(['https://in-toto.io/Statement/v0.1', 'https://in-toto.io/Statement/v1'])

/** The only statements that vouch for what they are about, and how each is read: a test result or a summary says no such thing. */
const PROVENANCE_READERS: ReadonlyMap<string, (predicate: unknown) => Provenance> = new Map([
  ['https://slsa.dev/provenance/v1', provenanceV1],
  ['https://slsa.dev/provenance/v0.2', provenanceV02],
])

/** What was built or examined, and what is said about it. */
export interface Statement {
  /** SHA-256 of each subject that has one. */
  readonly subjects: readonly Sha256[]
  readonly predicateType: string
  /** Unread: its shape depends on `predicateType`. */
  readonly predicate: unknown
}

/** How an artifact was built, as its builder tells it. A field that the predicate leaves out is undefined. */
export interface Provenance {
  readonly builderId: string
  readonly buildType: string
  readonly sourceUri: string | undefined
  readonly sourceRef: string | undefined
}

/**
 * Reads the payload of an attestation, after its signature was verified.
 * @throws {DeliveryError} `provenance-refused`, unless it is an in-toto statement of version 0.1 or 1 with a subject
 */
export function parseStatement(payloadType: string, payload: Uint8Array): Statement {
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE) throw refused(`payload type ${payloadType} is not an in-toto statement`)
  const document = parseJson(payload)
  if (!isRecord(document)) throw refused('the statement is not an object')
  if (!STATEMENT_TYPES.has(document['_type'])) throw refused(`statement type ${String(document['_type'])} is not known`)
  const subject = document['subject']
  if (!Array.isArray(subject) || subject.length === 0) throw refused('the statement has no subject')
  const predicateType = document['predicateType']
  if (typeof predicateType !== 'string' || predicateType === '') throw refused('the statement has no predicateType')
  return { subjects: subject.flatMap(sha256OfSubject), predicateType, predicate: document['predicate'] }
}

/**
 * The provenance in a statement of SLSA 0.2 or 1, undefined when it is a statement of another kind.
 * @throws {DeliveryError} `provenance-refused`, when it does not name its builder and build type
 */
export function provenanceOf(statement: Statement): Provenance | undefined {
  return PROVENANCE_READERS.get(statement.predicateType)?.(statement.predicate)
}

/**
 * What a statement vouches with.
 * @throws {DeliveryError} `provenance-refused`, when it is of a kind that does not vouch, or does not name builder and build type
 */
export function requireProvenance(statement: Statement): Provenance {
  const provenance = provenanceOf(statement)
  if (provenance !== undefined) return provenance
  throw refused(`a statement of type ${statement.predicateType} does not vouch for its subject: only SLSA provenance 0.2 and 1 do`)
}

function provenanceV1(predicate: unknown): Provenance {
  const definition = at(predicate, 'buildDefinition')
  const workflow = at(at(definition, 'externalParameters'), 'workflow')
  return {
    builderId: requireText(at(at(at(predicate, 'runDetails'), 'builder'), 'id'), 'runDetails.builder.id'),
    buildType: requireText(at(definition, 'buildType'), 'buildDefinition.buildType'),
    sourceUri: textOrUndefined(at(workflow, 'repository')),
    sourceRef: textOrUndefined(at(workflow, 'ref')),
  }
}

function provenanceV02(predicate: unknown): Provenance {
  const uri = textOrUndefined(at(at(at(predicate, 'invocation'), 'configSource'), 'uri'))
  const [sourceUri, sourceRef] = uri === undefined ? [] : splitRef(uri)
  return {
    builderId: requireText(at(at(predicate, 'builder'), 'id'), 'builder.id'),
    buildType: requireText(at(predicate, 'buildType'), 'buildType'),
    sourceUri,
    sourceRef,
  }
}

/** `git+https://host/repository@refs/tags/v1` in its two parts. */
function splitRef(uri: string): readonly [string, string | undefined] {
  const cut = uri.lastIndexOf('@refs/')
  return cut === -1 ? [uri, undefined] : [uri.slice(0, cut), uri.slice(cut + 1)]
}

function sha256OfSubject(subject: unknown): readonly Sha256[] {
  const digest = at(at(subject, 'digest'), 'sha256')
  const normal = typeof digest === 'string' ? digest.toLowerCase() : undefined
  return isSha256(normal) ? [normal] : []
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    // No cause: the parser's message quotes what was sent.
    throw refused('the statement is not JSON')
  }
}

function at(value: unknown, key: string): unknown {
  return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOrUndefined(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function requireText(value: unknown, path: string): string {
  const text = textOrUndefined(value)
  if (text === undefined) throw refused(`the provenance does not say its ${path}`)
  if (text.length > LIMITS.textCharacters) throw refused(`the provenance has more than ${LIMITS.textCharacters} characters for its ${path}`)
  return text
}

function refused(detail: string): DeliveryError {
  return new DeliveryError({ code: 'provenance-refused', detail })
}
