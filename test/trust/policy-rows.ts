/** What a policy may demand beyond an identity and an issuer. */

import { generateKeyPairSync } from 'node:crypto'
import type { CertificateExtensions, Identity, Signer } from '../../src/core/verify/identity-policy.ts'
import {
  createOfflineSigstore,
  IDENTITY,
  ISSUER,
  newKey,
  provenanceAbout,
  publicPem,
  REF,
  REPOSITORY,
  type OfflineSigstore,
} from './offline-sigstore.ts'
import { ARTIFACT, type Row } from './trust-case.ts'

const [WORKFLOW = ''] = IDENTITY.split('@')

export async function policyRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  return [
    ...(await workflowRows(sigstore)),
    ...(await extensionRows(sigstore)),
    ...(await logOfKeyRows(sigstore)),
    ...(await keyKindRows(sigstore)),
    ...(await timestampOnlyRows()),
  ]
}

const certificate = (identity: Identity, extensions?: CertificateExtensions): Signer => ({
  kind: 'certificate',
  identity,
  issuer: ISSUER,
  extensions,
})

async function workflowRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  const atTag = [certificate({ workflow: WORKFLOW, refs: 'tags' })]
  const rowOf = async (name: string, identity: string, expected: Row['expected']): Promise<Row> => ({
    name: `where any tag of a workflow may sign, ${name}`,
    bundle: await sigstore.signBlob(ARTIFACT, { identity }),
    signers: atTag,
    expected,
  })
  return await Promise.all([
    rowOf('one tag', IDENTITY, 'accepted'),
    rowOf('another tag', `${WORKFLOW}@refs/tags/release/v9.9.9-rc.1+build_7`, 'accepted'),
    rowOf('a branch', `${WORKFLOW}@refs/heads/main`, 'identity-mismatch'),
    rowOf('no ref', WORKFLOW, 'identity-mismatch'),
    rowOf('an empty tag', `${WORKFLOW}@refs/tags/`, 'identity-mismatch'),
    rowOf('something before it', `https://evil.test/?${IDENTITY}`, 'identity-mismatch'),
    rowOf('another workflow', IDENTITY.replace('release.yml', 'test.yml'), 'identity-mismatch'),
    rowOf('a workflow whose name goes on', `${WORKFLOW}.yml@refs/tags/v1`, 'identity-mismatch'),
    rowOf('a second ref', `${WORKFLOW}@refs/tags/v1@refs/heads/main`, 'identity-mismatch'),
    rowOf('a line after the tag', `${WORKFLOW}@refs/tags/v1\nx`, 'identity-mismatch'),
    rowOf('a way out of the tags', `${WORKFLOW}@refs/tags/../heads/main`, 'identity-mismatch'),
    rowOf('a query after the tag', `${WORKFLOW}@refs/tags/v1?x`, 'identity-mismatch'),
  ])
}

async function extensionRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  const said = { sourceRepositoryURI: REPOSITORY, sourceRepositoryRef: REF }
  const bundle = await sigstore.signBlob(ARTIFACT, { extensions: { 11: 'github-hosted', 20: 'push', 22: 'public' } })
  const rowOf = (name: string, extensions: CertificateExtensions, expected: Row['expected']): Row => ({
    name: `a certificate that has to say ${name}`,
    bundle,
    signers: [certificate(IDENTITY, extensions)],
    expected,
  })
  return [
    rowOf('what it says', said, 'accepted'),
    rowOf('more of what it says', { ...said, runnerEnvironment: 'github-hosted', buildTrigger: 'push' }, 'accepted'),
    rowOf('who may see its source', { sourceRepositoryVisibilityAtSigning: 'public' }, 'accepted'),
    rowOf('another repository', { ...said, sourceRepositoryURI: 'https://github.com/acme/agent2' }, 'identity-mismatch'),
    rowOf('only the beginning of its repository', { sourceRepositoryURI: REPOSITORY.slice(0, -1) }, 'identity-mismatch'),
    rowOf('another ref', { ...said, sourceRepositoryRef: 'refs/heads/main' }, 'identity-mismatch'),
    rowOf('another runner', { runnerEnvironment: 'self-hosted' }, 'identity-mismatch'),
    rowOf('what it does not say', { ...said, sourceRepositoryDigest: 'c0ffee' }, 'identity-mismatch'),
    {
      name: 'a certificate of one signer with the extensions of another',
      bundle,
      signers: [certificate(IDENTITY, { buildTrigger: 'schedule' }), certificate('https://github.com/other', { buildTrigger: 'push' })],
      expected: 'identity-mismatch',
    },
  ]
}

async function logOfKeyRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  const key = newKey()
  const signers: readonly Signer[] = [{ kind: 'key', publicKeyPem: publicPem(key), requireLog: true }]
  const row = async (witness: 'both' | 'timestamp' | 'none', expected: Row['expected']): Promise<Row> => ({
    name: `a key whose signatures a log must witness, witnessed by ${witness}`,
    bundle: await sigstore.signBlob(ARTIFACT, { key, witness }),
    signers,
    expected,
  })
  return [await row('both', 'accepted'), await row('timestamp', 'signature-invalid'), await row('none', 'signature-invalid')]
}

async function keyKindRows(sigstore: OfflineSigstore): Promise<readonly Row[]> {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ed25519 = generateKeyPairSync('ed25519')
  const p521 = newKey('P-521')
  const message = await sigstore.signBlob(ARTIFACT, { key: rsa, witness: 'none' })
  const statement = await sigstore.attest(provenanceAbout(ARTIFACT), { key: ed25519, witness: 'none' })
  const one = (pair: typeof rsa): readonly Signer[] => [{ kind: 'key', publicKeyPem: publicPem(pair) }]
  return [
    { name: 'a file signed by an RSA key', bundle: message, signers: one(rsa), expected: 'accepted' },
    {
      name: 'a file signed by a key on the largest curve',
      bundle: await sigstore.signBlob(ARTIFACT, { key: p521 }),
      signers: one(p521),
      expected: 'accepted',
    },
    {
      name: 'a file signed by another RSA key',
      bundle: message,
      signers: one(generateKeyPairSync('rsa', { modulusLength: 2048 })),
      expected: 'signature-invalid',
    },
    { name: 'an attestation signed by an Ed25519 key', bundle: statement, signers: one(ed25519), expected: 'accepted' },
    {
      name: 'an attestation signed by another Ed25519 key',
      bundle: statement,
      signers: one(generateKeyPairSync('ed25519')),
      expected: 'signature-invalid',
    },
  ]
}

/** As the instance of GitHub signs for private repositories: no log and no certificate log, only a timestamp. */
async function timestampOnlyRows(): Promise<readonly Row[]> {
  const sigstore = await createOfflineSigstore({ sct: false })
  const trustedRoot = { ...sigstore.trustedRoot, tlogs: [], ctlogs: [] }
  const bundle = await sigstore.attest(provenanceAbout(ARTIFACT), { witness: 'timestamp' })
  const thresholds = { log: 0, sct: 0, timestamp: 1 }
  return [
    { name: 'a timestamp alone, where a policy says that it is enough', bundle, trustedRoot, thresholds, expected: 'accepted' },
    { name: 'a timestamp alone, where a policy says nothing', bundle, trustedRoot, expected: 'signature-invalid' },
    {
      name: 'no witness at all, where a timestamp is enough',
      bundle: await sigstore.attest(provenanceAbout(ARTIFACT), { witness: 'none' }),
      trustedRoot,
      thresholds,
      expected: 'signature-invalid',
    },
  ]
}
