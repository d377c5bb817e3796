import type { BuildFacts } from '../signing/statement.ts'

/** Who an issued certificate speaks for. */
export interface Claims {
  /** Subject alternative name: a URI, for GitHub Actions `<repository>/<workflow file>@<ref>`. */
  readonly identity: string
  /** OIDC issuer that vouched for the identity. */
  readonly issuer: string
}

/** One Fulcio extension. The first six are raw bytes, those from 8 on DER strings. */
export interface FulcioExtension {
  readonly oid: string
  readonly value: string
  readonly legacy?: boolean
}

/** Who signs, and who vouches for it, where nobody was named: addresses that can belong to nobody (RFC 2606). */
export const LOCAL_BUILD = 'https://sealift.invalid/local-test-build'
export const LOCAL_AUTHORITY = 'https://sealift.invalid/local-test-authority'

export const GITHUB_ISSUER = 'https://token.actions.githubusercontent.com'

const WORKFLOW = /^(https:\/\/[^/]+\/[^/]+\/[^/@]+)\/(\.github\/workflows\/[^@]+)@(refs\/.+)$/
const FULCIO_ARC = '1.3.6.1.4.1.57264.1.'

/** The one run of a workflow that built a file. Only who saw it can say: nothing of it is made up here. */
export interface WorkflowRun {
  /** 40 hex digits. */
  readonly commit: string
  /** The run, as a URI. */
  readonly invocationId: string
  readonly finishedAtSeconds: number
}

interface Workflow {
  readonly repository: string
  readonly workflowPath: string
  readonly ref: string
}

/** The build that a workflow identity stands for, or undefined when the identity is of another kind. */
export function buildOfWorkflow(identity: string, run: WorkflowRun): BuildFacts | undefined {
  const workflow = workflowOf(identity)
  return workflow === undefined ? undefined : { ...workflow, ...run, builderId: identity }
}

/**
 * What Fulcio writes into the certificate of a GitHub Actions run, as far as the identity says it: no commit and no run. Of any other
 * identity the issuer alone. https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
 */
export function fulcioExtensions(claims: Claims): readonly FulcioExtension[] {
  const issuer: readonly FulcioExtension[] = [
    { oid: `${FULCIO_ARC}1`, value: claims.issuer, legacy: true },
    { oid: `${FULCIO_ARC}8`, value: claims.issuer },
  ]
  const workflow = workflowOf(claims.identity)
  if (workflow === undefined) return issuer
  const { repository, ref } = workflow
  const raw: Readonly<Record<number, string>> = { 5: new URL(repository).pathname.slice(1), 6: ref }
  const strings: Readonly<Record<number, string>> = {
    9: claims.identity,
    12: repository,
    14: ref,
    16: repository.slice(0, repository.lastIndexOf('/')),
    18: claims.identity,
  }
  return [
    ...issuer,
    ...Object.entries(raw).map(([number, value]) => ({ oid: FULCIO_ARC + number, value, legacy: true })),
    ...Object.entries(strings).map(([number, value]) => ({ oid: FULCIO_ARC + number, value })),
  ]
}

function workflowOf(identity: string): Workflow | undefined {
  const [, repository, workflowPath, ref] = WORKFLOW.exec(identity) ?? []
  if (repository === undefined || workflowPath === undefined || ref === undefined) return undefined
  return { repository, workflowPath, ref }
}
