/** Who may sign what: the shape of the policy, and the one place that reads it. */

import { DeliveryError } from '../errors.ts'

/** Somebody whose signature counts. */
export type Signer = CertificateSigner | KeySigner

/** A keyless signer: the identity in the certificate, who vouched for it, and what else the certificate has to say. */
export interface CertificateSigner {
  readonly kind: 'certificate'
  /** Subject alternative name. */
  readonly identity: Identity
  /** OIDC issuer, compared literally. */
  readonly issuer: string
  /** Fulcio's extensions that the certificate must carry, each compared literally. */
  readonly extensions?: CertificateExtensions | undefined
}

/** A literal, compared from first to last character; or one workflow at any tag or branch, since a tag's name changes with each release. */
export type Identity = string | WorkflowIdentity

export interface WorkflowIdentity {
  /** Everything before `@refs/`, compared literally. */
  readonly workflow: string
  readonly refs: 'tags' | 'heads'
}

/** Number of each extension below 1.3.6.1.4.1.57264.1, by its name (docs/oid-info.md of sigstore/fulcio). */
export const CERTIFICATE_EXTENSIONS = {
  buildSignerURI: 9,
  buildSignerDigest: 10,
  runnerEnvironment: 11,
  sourceRepositoryURI: 12,
  sourceRepositoryDigest: 13,
  sourceRepositoryRef: 14,
  sourceRepositoryIdentifier: 15,
  sourceRepositoryOwnerURI: 16,
  sourceRepositoryOwnerIdentifier: 17,
  buildConfigURI: 18,
  buildConfigDigest: 19,
  buildTrigger: 20,
  runInvocationURI: 21,
  sourceRepositoryVisibilityAtSigning: 22,
} as const

/** What a certificate says beyond its holder, by the names of `CERTIFICATE_EXTENSIONS`. */
export type CertificateExtensions = Readonly<Partial<Record<keyof typeof CERTIFICATE_EXTENSIONS, string>>>

export interface KeySigner {
  readonly kind: 'key'
  /** SubjectPublicKeyInfo in PEM. */
  readonly publicKeyPem: string
  /** Whether a log must have witnessed the signature. Default: no. */
  readonly requireLog?: boolean | undefined
}

/** How many independent witnesses a certificate signature needs. A key signature needs none, unless its signer says so. */
export interface Thresholds {
  readonly log: number
  readonly sct: number
  readonly timestamp: number
}

export interface SignaturePolicy {
  /** Never empty. */
  readonly anyOf: readonly [Signer, ...Signer[]]
  /** So many different ones of `anyOf` must have signed: at least 1. */
  readonly minSigners: number
  /** Sigstore `trusted_root.json`, parsed JSON, or a list of them. Needed for certificate signers. */
  readonly trustedRoot: unknown
  readonly thresholds: Thresholds
}

/** What SLSA provenance says, as its signer tells it. */
export interface BuildClaim {
  readonly builderId: string
  readonly buildType: string
  readonly sourceUri?: string | undefined
  readonly sourceRef?: string | undefined
  readonly sourceDigest?: string | undefined
}

/** Who it turned out to be: a certificate's whole identity, never a pattern. */
export type VerifiedSigner =
  | { readonly kind: 'certificate'; readonly identity: string; readonly issuer: string }
  | { readonly kind: 'key'; readonly publicKeyPem: string }

/** What a verified bundle says, in facts that an audit record can keep. */
export interface SignatureVerdict {
  readonly signer: VerifiedSigner
  readonly form: 'message' | 'attestation'
  /** Of an attestation: in-toto `predicateType`. */
  readonly predicateType: string | undefined
  /** Of an attestation: builder, kind of build, and source. The signer's own claim; undefined for a message. */
  readonly provenance: BuildClaim | undefined
  /** Fulcio's source repository, ref and commit, when the certificate carries them: the signer's CI, not its own claim. */
  readonly sourceRepository: string | undefined
  readonly sourceRef: string | undefined
  readonly sourceDigest?: string | undefined
  /** Verified time of the signature, Unix seconds; undefined for a key signature without witness. */
  readonly signedAtSeconds: number | undefined
}

export const DEFAULT_THRESHOLDS: Thresholds = { log: 1, sct: 1, timestamp: 1 }

/**
 * A policy that can be enforced, or no policy at all.
 * @throws {DeliveryError} `policy-missing`, when there is no signer, or one is half-named; `config-invalid`, when
 * more are asked for than are named
 * @example
 * const policy = requirePolicy([{ kind: 'key', publicKeyPem: (await generateSigningKey('keys')).publicKeyPem }], { trustedRoot: undefined })
 * console.log(trustOfPolicy(policy))
 */
export function requirePolicy(
  signers: readonly Signer[],
  under: {
    readonly trustedRoot: unknown
    readonly thresholds?: Thresholds
    readonly minSigners?: number
    /** Where the signers stand, for a message. */
    readonly path?: string
  },
): SignaturePolicy {
  const { trustedRoot, thresholds = DEFAULT_THRESHOLDS, minSigners = 1, path = 'signers' } = under
  const [first, ...rest] = signers
  if (first === undefined) throw missing('no signer is named')
  for (const signer of signers) requireSigner(signer, trustedRoot)
  const names = new Set(signers.map(nameSigner)).size
  if (!Number.isSafeInteger(minSigners) || minSigners < 1 || minSigners > names)
    throw invalid(path, `names ${names} different signers, and minSigners asks for ${minSigners}`)
  return { anyOf: [first, ...rest], minSigners, trustedRoot, thresholds }
}

/** Whether a certificate's identity is the wanted one: anchored at both ends in either form. */
export function isIdentity(wanted: Identity, actual: string): boolean {
  if (typeof wanted === 'string') return actual === wanted
  const before = `${wanted.workflow}@refs/${wanted.refs}/`
  return actual.startsWith(before) && isRefName(actual.slice(before.length))
}

/**
 * Whom `minSigners` counts once: a key however it is spelt, a workflow at whatever ref, with whatever else its certificate has to say.
 * Who holds one of two names that are alike here holds both.
 */
export function nameSigner(signer: Signer): string {
  if (signer.kind === 'key') return signer.publicKeyPem.replace(/-----[^-]*-----|\s|=/g, '')
  const { identity, issuer } = signer
  return JSON.stringify([typeof identity === 'string' ? identity.split('@refs/')[0] : identity.workflow, issuer])
}

/** One line for a message: who was expected. */
export function describeSigner(signer: Signer): string {
  if (signer.kind === 'key') return 'a named public key'
  const { identity, issuer, extensions = {} } = signer
  const who = typeof identity === 'string' ? identity : `${identity.workflow}@refs/${identity.refs}/…`
  const also = Object.entries(extensions).map(([name, value]) => `, ${name} ${value}`)
  return `${who}, vouched for by ${issuer}${also.join('')}`
}

/** What git allows in a name (git-check-ref-format), less what no release needs: no `@`, so that nothing follows the ref. */
function isRefName(text: string): boolean {
  return text.length <= 250 && /^[\w][\w.+-]*(?:\/[\w][\w.+-]*)*$/.test(text) && !text.includes('..')
}

function requireSigner(signer: Signer, trustedRoot: unknown): void {
  const hasRoot = trustedRoot !== undefined && trustedRoot !== null
  if (signer.kind === 'key') {
    if (signer.publicKeyPem.trim() === '') throw missing('a key signer has no key')
    if (signer.requireLog === true && !hasRoot) throw missing('a key whose signatures a log must witness needs a trusted root')
    return
  }
  const { identity, issuer } = signer
  if ((typeof identity === 'string' ? identity : identity.workflow).trim() === '') throw missing('a certificate signer has no identity')
  if (issuer.trim() === '') throw missing('a certificate signer has no issuer')
  if (!hasRoot) throw missing('a certificate signer needs a trusted root')
}

function missing(detail: string): DeliveryError {
  return new DeliveryError({ code: 'policy-missing', detail })
}

function invalid(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'config-invalid', path, detail })
}
