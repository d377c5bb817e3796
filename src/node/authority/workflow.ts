import { createHash } from 'node:crypto'
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

export const GITHUB_ISSUER = 'https://token.actions.githubusercontent.com'

const WORKFLOW = /^(https:\/\/[^/]+\/[^/]+\/[^/@]+)\/(\.github\/workflows\/[^@]+)@(refs\/.+)$/
const FULCIO_ARC = '1.3.6.1.4.1.57264.1.'

/** The build that a workflow identity stands for, or undefined when the identity is of another kind. */
export function buildOfWorkflow(identity: string, finishedAtSeconds: number): BuildFacts | undefined {
  const [, repository, workflowPath, ref] = WORKFLOW.exec(identity) ?? []
  if (repository === undefined || workflowPath === undefined || ref === undefined) return undefined
  return {
    repository,
    ref,
    workflowPath,
    commit: commitStandIn(repository, ref),
    builderId: identity,
    invocationId: `${repository}/actions/runs/1/attempts/1`,
    finishedAtSeconds,
  }
}

/**
 * What Fulcio writes into the certificate of a GitHub Actions run; of any other identity the issuer alone.
 * https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
 */
export function fulcioExtensions(claims: Claims): readonly FulcioExtension[] {
  const issuer: readonly FulcioExtension[] = [
    { oid: `${FULCIO_ARC}1`, value: claims.issuer, legacy: true },
    { oid: `${FULCIO_ARC}8`, value: claims.issuer },
  ]
  const build = buildOfWorkflow(claims.identity, 0)
  if (build === undefined) return issuer
  const raw: Readonly<Record<number, string>> = {
    2: 'push',
    3: build.commit,
    5: new URL(build.repository).pathname.slice(1),
    6: build.ref,
  }
  const strings: Readonly<Record<number, string>> = {
    9: claims.identity,
    10: build.commit,
    11: 'github-hosted',
    12: build.repository,
    13: build.commit,
    14: build.ref,
    16: build.repository.slice(0, build.repository.lastIndexOf('/')),
    18: claims.identity,
    19: build.commit,
    20: 'push',
    21: build.invocationId,
    22: 'public',
  }
  return [
    ...issuer,
    ...Object.entries(raw).map(([number, value]) => ({
      oid: FULCIO_ARC + number,
      value,
      legacy: true,
    })),
    ...Object.entries(strings).map(([number, value]) => ({ oid: FULCIO_ARC + number, value })),
  ]
}

/** An offline authority sees no git history; 40 hex digits that are the same for the same ref keep the forms whole. */
function commitStandIn(repository: string, ref: string): string {
  return createHash('sha256').update(`${repository}@${ref}`).digest('hex').slice(0, 40)
}
