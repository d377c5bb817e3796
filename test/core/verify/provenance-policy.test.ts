import { expect, test } from 'vitest'
import { failureOf } from '../../../src/core/errors.ts'
import type { SignatureVerdict } from '../../../src/core/verify/identity-policy.ts'
import { ANY_PROVENANCE, requireProvenance, type ProvenancePolicy } from '../../../src/core/verify/provenance-policy.ts'
import { verdict as sample } from '../audit/samples.ts'
import { errorFrom } from '../manifest/outcome.ts'

const V1 = 'https://slsa.dev/provenance/v1'
const REPOSITORY = 'https://github.com/acme/agent'
const said: SignatureVerdict = {
  ...sample,
  predicateType: V1,
  provenance: { builderId: 'builder', buildType: 'type', sourceUri: REPOSITORY, sourceRef: 'refs/heads/main', sourceDigest: 'c0ffee' },
  sourceRepository: undefined,
  sourceRef: undefined,
  sourceDigest: undefined,
}
const certified: SignatureVerdict = { ...said, sourceRepository: REPOSITORY, sourceRef: 'refs/tags/v1', sourceDigest: 'decaf' }
const source = (changes: Partial<ProvenancePolicy['source']>) => ({ source: { ...ANY_PROVENANCE.source, ...changes } })

function outcome(verdict: SignatureVerdict, policy: Partial<ProvenancePolicy>): unknown {
  const error = errorFrom(() => requireProvenance(verdict, { ...ANY_PROVENANCE, ...policy }))
  return error === undefined ? 'counts' : failureOf(error)?.code
}

test.each<readonly [string, SignatureVerdict, Partial<ProvenancePolicy>, string]>([
  ['where nothing is asked', said, {}, 'counts'],
  ['of the builder that is asked for', said, { builderId: 'builder', buildType: 'type' }, 'counts'],
  ['of another builder', said, { builderId: 'builder2' }, 'provenance-refused'],
  ['of a builder whose name only begins alike', said, { builderId: 'buil' }, 'provenance-refused'],
  ['of another kind of build', said, { buildType: 'typ' }, 'provenance-refused'],
  [
    'of a workflow at a tag',
    withBuilder('https://ci/a.yml@refs/tags/v2'),
    { builderId: { workflow: 'https://ci/a.yml', refs: 'tags' } },
    'counts',
  ],
  [
    'of a workflow at a branch',
    withBuilder('https://ci/a.yml@refs/heads/v2'),
    { builderId: { workflow: 'https://ci/a.yml', refs: 'tags' } },
    'provenance-refused',
  ],
  ['of the right source, as the signer says', said, source({ uri: REPOSITORY, ref: 'refs/heads/main', digest: 'c0ffee' }), 'counts'],
  ['of another repository', said, source({ uri: `${REPOSITORY}2` }), 'provenance-refused'],
  ['of another ref', said, source({ ref: 'refs/heads/mai' }), 'provenance-refused'],
  ['of another commit', said, source({ digest: 'decaf' }), 'provenance-refused'],
  ['whose certificate says the ref, against what it claims itself', certified, source({ ref: 'refs/heads/main' }), 'provenance-refused'],
  ['whose certificate says the ref that is asked for', certified, source({ ref: 'refs/tags/v1', digest: 'decaf' }), 'counts'],
  [
    'that says no source, where one is asked for',
    { ...said, provenance: { builderId: 'b', buildType: 't' } },
    source({ uri: REPOSITORY }),
    'provenance-refused',
  ],
  ['of a version that is not on the list', said, { predicateTypes: ['https://slsa.dev/provenance/v0.2'] }, 'provenance-refused'],
  ['where no version is on the list', said, { predicateTypes: [] }, 'provenance-refused'],
  ['that says nothing of a build', { ...said, provenance: undefined }, {}, 'provenance-refused'],
])('provenance %s: %#', (_what, verdict, policy, expected) => {
  expect(outcome(verdict, policy)).toBe(expected)
})

function withBuilder(builderId: string): SignatureVerdict {
  return { ...said, provenance: { builderId, buildType: 'type' } }
}
