import type { Sha256 } from '../../core/model/ids.ts'

const SLSA_PROVENANCE = 'https://slsa.dev/provenance/v1'

/** An in-toto statement, v1: what is claimed, about which digests. */
export interface Statement {
  readonly _type: 'https://in-toto.io/Statement/v1'
  readonly subject: readonly {
    readonly name: string
    readonly digest: { readonly sha256: Sha256 }
  }[]
  readonly predicateType: string
  readonly predicate: Readonly<Record<string, unknown>>
}

/** Where and from what a file was built. */
export interface BuildFacts {
  /** `https://github.com/<owner>/<repository>` or the like. */
  readonly repository: string
  /** Full git ref, for example `refs/tags/v1.2.3`. */
  readonly ref: string
  /** 40 hex digits. */
  readonly commit: string
  /** Workflow file within the repository. */
  readonly workflowPath: string
  /** Who vouches for the build, as a URI. */
  readonly builderId: string
  /** The one run that built it, as a URI. */
  readonly invocationId: string
  readonly finishedAtSeconds: number
}

/** SLSA v1 provenance that says no more than who made it: no source, no commit, no run. */
export function localBuildStatement(
  subject: { readonly name: string; readonly sha256: Sha256 },
  build: { readonly buildType: string; readonly builderId: string; readonly finishedAtSeconds: number },
): Statement {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: subject.name, digest: { sha256: subject.sha256 } }],
    predicateType: SLSA_PROVENANCE,
    predicate: {
      buildDefinition: { buildType: build.buildType, externalParameters: {}, internalParameters: {}, resolvedDependencies: [] },
      runDetails: { builder: { id: build.builderId }, metadata: { finishedOn: toTime(build.finishedAtSeconds) } },
    },
  }
}

/**
 * SLSA v1 provenance for one file, shaped as GitHub's artifact attestations are. https://slsa.dev/spec/v1.0/provenance
 * @example
 * const signal = AbortSignal.timeout(60_000)
 * const { file } = await verifyFile({ file: 'agent.tgz', trust: siteTrust((await readConfig('public/sealift.json', signal)).trust), sites: ['site'] }, signal)
 * const build = {
 *   repository: 'https://ci.example/agent',
 *   ref: 'refs/tags/v1.2.3',
 *   commit: '0'.repeat(40),
 *   workflowPath: '.github/workflows/release.yml',
 *   builderId: 'https://ci.example/builder',
 *   invocationId: 'https://ci.example/runs/1',
 *   finishedAtSeconds: 1_790_000_000,
 * }
 * console.log(provenanceStatement({ name: 'agent.tgz', sha256: file.sha256 }, build))
 */
export function provenanceStatement(subject: { readonly name: string; readonly sha256: Sha256 }, build: BuildFacts): Statement {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: subject.name, digest: { sha256: subject.sha256 } }],
    predicateType: SLSA_PROVENANCE,
    predicate: {
      buildDefinition: {
        buildType: 'https://actions.github.io/buildtypes/workflow/v1',
        externalParameters: {
          workflow: { ref: build.ref, repository: build.repository, path: build.workflowPath },
        },
        internalParameters: {},
        resolvedDependencies: [{ uri: `git+${build.repository}@${build.ref}`, digest: { gitCommit: build.commit } }],
      },
      runDetails: {
        builder: { id: build.builderId },
        metadata: {
          invocationId: build.invocationId,
          finishedOn: toTime(build.finishedAtSeconds),
        },
      },
    },
  }
}

function toTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
