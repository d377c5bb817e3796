import { nowSeconds } from '../../core/clock.ts'
import type { Clock } from '../../core/ports.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import { requirePolicy, type SignaturePolicy } from '../../core/verify/identity-policy.ts'
import type { Authority } from '../authority/authority.ts'
import { buildOfWorkflow, LOCAL_AUTHORITY, LOCAL_BUILD, type Claims, type WorkflowRun } from '../authority/workflow.ts'
import type { Content } from '../signing/content.ts'
import type { SigningKey } from '../signing/signing-key.ts'
import { localBuildStatement, provenanceStatement } from '../signing/statement.ts'

/** Signs what is published. */
export interface PublishSigner {
  /** Its own signatures pass this. */
  readonly policy: SignaturePolicy
  signContent(content: Content, signal: AbortSignal): Promise<Uint8Array>
  /** SLSA provenance as a bundle; undefined when the signer knows nothing of a build. */
  attestBuild(subject: { readonly name: string; readonly sha256: Sha256 }, signal: AbortSignal): Promise<Uint8Array | undefined>
}

export interface AuthoritySignerOptions {
  readonly claims: Claims
  readonly clock: Clock
  /** The run that built the files, where `claims.identity` is a workflow. Default: provenance says that they are a local test build. */
  readonly run?: Omit<WorkflowRun, 'finishedAtSeconds'> | undefined
}

/**
 * Signs with the offline authority, as the identity that `claims` name.
 * @example
 * const authority = await openAuthority('authority', { clock: systemClock })
 * const claims = { identity: 'release@acme.example', issuer: 'https://accounts.acme.example' }
 * const signer = authoritySigner(authority, { claims, clock: systemClock })
 * await publish({ dir: 'releases', site: 'site', repository: 'acme', signer }, AbortSignal.timeout(600_000))
 */
export function authoritySigner(authority: Authority, { claims, clock, run }: AuthoritySignerOptions): PublishSigner {
  const { identity, issuer } = claims
  return {
    policy: requirePolicy([{ kind: 'certificate', identity, issuer }], { trustedRoot: authority.trustedRoot }),
    signContent: (content, signal) => authority.signContent(content, claims, signal),
    async attestBuild(subject, signal) {
      const finishedAtSeconds = nowSeconds(clock)
      const build = run === undefined ? undefined : buildOfWorkflow(identity, { ...run, finishedAtSeconds })
      const local = { buildType: LOCAL_BUILD, builderId: LOCAL_AUTHORITY, finishedAtSeconds }
      const statement = build === undefined ? localBuildStatement(subject, local) : provenanceStatement(subject, build)
      return authority.attest(statement, claims, signal)
    },
  }
}

/**
 * Signs with a key of this machine. A key says nothing of a build, so nothing is attested.
 * @example
 * const signer = keySigner(await readSigningKey('keys/signing-key.pem'))
 * console.log(signer.policy.anyOf)
 */
export function keySigner(key: SigningKey): PublishSigner {
  return {
    policy: requirePolicy([{ kind: 'key', publicKeyPem: key.publicKeyPem }], { trustedRoot: undefined }),
    signContent: (content, signal) => key.signContent(content, signal),
    attestBuild: () => Promise.resolve(undefined),
  }
}
