import type { Clock } from '../../core/ports.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import { requirePolicy, type SignaturePolicy } from '../../core/verify/identity-policy.ts'
import type { Authority } from '../authority/authority.ts'
import { buildOfWorkflow, type Claims } from '../authority/workflow.ts'
import type { Content } from '../signing/content.ts'
import type { SigningKey } from '../signing/signing-key.ts'
import { provenanceStatement } from '../signing/statement.ts'

/** Signs what is published. */
export interface PublishSigner {
  /** Its own signatures pass this. */
  readonly policy: SignaturePolicy
  signContent(content: Content, signal: AbortSignal): Promise<Uint8Array>
  /** SLSA provenance as a bundle; undefined when the signer knows nothing of a build. */
  attestBuild(subject: { readonly name: string; readonly sha256: Sha256 }, signal: AbortSignal): Promise<Uint8Array | undefined>
}

/** Signs with the offline authority, as the workflow that `claims.identity` names. */
export function authoritySigner(authority: Authority, options: { readonly claims: Claims; readonly clock: Clock }): PublishSigner {
  const { claims, clock } = options
  const { identity, issuer } = claims
  return {
    policy: requirePolicy([{ kind: 'certificate', identity, issuer }], authority.trustedRoot),
    signContent: (content, signal) => authority.signContent(content, claims, signal),
    async attestBuild(subject, signal) {
      const build = buildOfWorkflow(identity, Math.floor(clock.nowMs() / 1000))
      return build === undefined ? undefined : authority.attest(provenanceStatement(subject, build), claims, signal)
    },
  }
}

/** Signs with a key of this machine. A key says nothing of a build, so nothing is attested. */
export function keySigner(key: SigningKey): PublishSigner {
  return {
    policy: requirePolicy([{ kind: 'key', publicKeyPem: key.publicKeyPem }], undefined),
    signContent: (content, signal) => key.signContent(content, signal),
    attestBuild: () => Promise.resolve(undefined),
  }
}
