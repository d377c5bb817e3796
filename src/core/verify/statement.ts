/** In-toto statements and the SLSA provenance in them. What they say is the signer's claim: prefer the certificate where both speak. */

import { DeliveryError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { isSha256, type Sha256 } from '../model/ids.ts'
import type { BuildClaim } from './identity-policy.ts'

/** DSSE payload type of an in-toto statement. */
export const IN_TOTO_PAYLOAD_TYPE = 'application/vnd.in-toto+json'

const STATEMENT_TYPES: ReadonlySet<unknown> = new Set(['https://in-toto.io/Statement/v0.1', 'https://in-toto.io/Statement/v1'])

/** The only statements that vouch for what they are about, and how each is read: a test result or a summary says no such thing. */
const PROVENANCE_READERS: ReadonlyMap<string, (predicate: unknown) => BuildClaim> = new Map([
  ['https://slsa.dev/provenance/v1', provenanceV1],
  ['https://slsa.dev/provenance/v0.2', provenanceV02],
])

/** SLSA provenance that this version reads. */
export const SLSA_PROVENANCE_TYPES: readonly string[] = [...PROVENANCE_READERS.keys()]

/** What was built or examined, and what is said about it. */
export interface Statement {
  /** SHA-256 of each subject that has one. */
  readonly subjects: readonly Sha256[]
  readonly predicateType: string
  /** Unread: its shape depends on `predicateType`. */
  readonly predicate: unknown
}

/**
 * Reads the payload of an attestation, after its signature was verified.
 * @throws {DeliveryError} `provenance-refused`, unless it is an in-toto statement of version 0.1 or 1 with a subject
 */
export function parseStatement(payloadType: string, payload: Uint8Array): Statement {
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE) throw refused(`payload type ${payloadType} is not an in-toto statement`)
  const document = parseJson(payload)
  if (!isRecord(document)) throw refused('the statement is not an object')
  if (!STATEMENT_TYPES.has(document['_type'])) throw refused(`statement type ${JSON.stringify(document['_type'])} is not known`)
  const subject = document['subject']
  if (!Array.isArray(subject) || subject.length === 0) throw refused('the statement has no subject')
  const predicateType = document['predicateType']
  if (typeof predicateType !== 'string' || predicateType === '') throw refused('the statement has no predicateType')
  return { subjects: subject.flatMap(sha256OfSubject), predicateType, predicate: document['predicate'] }
}

/**
 * What a statement vouches with. What the predicate leaves out is undefined.
 * @throws {DeliveryError} `provenance-refused`, when it is of a kind that does not vouch, or does not name builder and build type
 */
export function readProvenance(statement: Statement): BuildClaim {
  const read = PROVENANCE_READERS.get(statement.predicateType)
  if (read !== undefined) return read(statement.predicate)
  throw refused(`a statement of type ${statement.predicateType} does not vouch for its subject: only SLSA provenance 0.2 and 1 do`)
}

/** https://slsa.dev/spec/v1.0/provenance, and the external parameters of GitHub's workflows. */
function provenanceV1(predicate: unknown): BuildClaim {
  const definition = at(predicate, 'buildDefinition')
  const workflow = at(at(definition, 'externalParameters'), 'workflow')
  const sourceUri = textOrUndefined(at(workflow, 'repository'))
  const dependencies = at(definition, 'resolvedDependencies')
  const source =
    sourceUri === undefined || !Array.isArray(dependencies) ? undefined : dependencies.find((one) => isOf(sourceUri, at(one, 'uri')))
  return {
    builderId: requireText(at(at(at(predicate, 'runDetails'), 'builder'), 'id'), 'runDetails.builder.id'),
    buildType: requireText(at(definition, 'buildType'), 'buildDefinition.buildType'),
    sourceUri,
    sourceRef: textOrUndefined(at(workflow, 'ref')),
    sourceDigest: textOrUndefined(at(at(source, 'digest'), 'gitCommit')),
  }
}

/** https://slsa.dev/spec/v0.2/provenance */
function provenanceV02(predicate: unknown): BuildClaim {
  const source = at(at(predicate, 'invocation'), 'configSource')
  const uri = textOrUndefined(at(source, 'uri'))
  const [sourceUri, sourceRef] = uri === undefined ? [] : splitRef(uri)
  return {
    builderId: requireText(at(at(predicate, 'builder'), 'id'), 'builder.id'),
    buildType: requireText(at(predicate, 'buildType'), 'buildType'),
    sourceUri,
    sourceRef,
    sourceDigest: textOrUndefined(at(at(source, 'digest'), 'sha1')),
  }
}

/** Whether a dependency, `git+https://host/repository@ref`, is of this repository. */
function isOf(repository: string, uri: unknown): boolean {
  return typeof uri === 'string' && splitRef(uri)[0] === repository
}

/** `git+https://host/repository@refs/tags/v1` in its two parts, the repository as a plain URL. */
function splitRef(uri: string): readonly [string, string | undefined] {
  const plain = uri.replace(/^git\+/, '')
  const cut = plain.lastIndexOf('@refs/')
  return cut === -1 ? [plain, undefined] : [plain.slice(0, cut), plain.slice(cut + 1)]
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
  return typeof value === 'string' && value !== '' && value.length <= LIMITS.textCharacters ? value : undefined
}

function requireText(value: unknown, path: string): string {
  const text = textOrUndefined(value)
  if (text === undefined) throw refused(`the provenance does not say its ${path} in at most ${LIMITS.textCharacters} characters`)
  return text
}

function refused(detail: string): DeliveryError {
  return new DeliveryError({ code: 'provenance-refused', detail })
}
