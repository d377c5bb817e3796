import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { toSha256 } from '../../src/core/model/ids.ts'
import { openAuthority } from '../../src/node/authority/authority.ts'
import { GITHUB_ISSUER } from '../../src/node/authority/workflow.ts'
import { provenanceStatement } from '../../src/node/signing/statement.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import type { SignedFile, TrustJob } from './job.ts'

/** Bundles of one kind: as many as one contestant judges in a round. */
export interface Kind {
  readonly name: string
  readonly job: TrustJob
}

export const CLAIMS = {
  identity: 'https://github.com/acme/agent/.github/workflows/release.yml@refs/tags/v1.2.3',
  issuer: GITHUB_ISSUER,
} as const
const BUNDLES = 9
const never = new AbortController().signal

/** Signed by an offline authority of our own: Rekor v1 entry, certificate log, timestamp. Each bundle has a certificate and an artifact of its own. */
export async function makeKinds(): Promise<readonly Kind[]> {
  const dir = await mkdtemp(join(tmpdir(), 'sealift-bench-'))
  try {
    const authority = await openAuthority(dir, { clock: systemClock })
    const artifacts = Array.from({ length: BUNDLES }, (_, at) => Buffer.from(`artifact ${at}`))
    const about = (artifact: Buffer, bundle: Uint8Array): SignedFile => ({
      file: Buffer.from(bundle).toString(),
      subject: hex(artifact),
      artifactBase64: artifact.toString('base64'),
    })
    const messages: SignedFile[] = []
    const attestations: SignedFile[] = []
    for (const artifact of artifacts) {
      messages.push(about(artifact, await authority.signBlob(artifact, CLAIMS, never)))
      const statement = provenanceStatement({ name: 'agent', sha256: toSha256(hex(artifact)) }, BUILD)
      attestations.push(about(artifact, await authority.attest(statement, CLAIMS, never)))
    }
    const { trustedRoot } = authority
    return [
      { name: 'signature', job: { ...CLAIMS, trustedRoot, bundles: messages } },
      { name: 'provenance', job: { ...CLAIMS, trustedRoot, bundles: attestations } },
    ]
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

const BUILD = {
  repository: 'https://github.com/acme/agent',
  workflowPath: '.github/workflows/release.yml',
  ref: 'refs/tags/v1.2.3',
  commit: 'a'.repeat(40),
  invocationId: 'https://github.com/acme/agent/actions/runs/1/attempts/1',
  finishedAtSeconds: 1_700_000_000,
  builderId: CLAIMS.identity,
}

const SUITE_IDENTITY =
  'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main'

/** The cases of a directory in the layout of Sigstore's client conformance suite that must be accepted. Each is a first bundle: the same one again would only show what is remembered. */
export function readKinds(casesDir: string): readonly Kind[] {
  return readdirSync(casesDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.endsWith('_fail'))
    .map((entry) => join(casesDir, entry.name))
    .filter((dir) => existsSync(join(dir, 'bundle.sigstore.json')) && !existsSync(join(dir, 'key.pub')))
    .map((dir) => ({ name: dir.slice(casesDir.length + 1), job: readJob(dir, casesDir) }))
}

function readJob(dir: string, casesDir: string): TrustJob {
  const first = (...paths: readonly string[]): string | undefined => paths.find((path) => existsSync(path))
  const root = first(
    join(dir, 'trusted_root.json'),
    join(casesDir, 'production-trusted-root.json'),
    join(dirname(casesDir), 'production-trusted-root.json'),
  )
  const artifactPath = first(join(dir, 'artifact'), join(casesDir, 'a.txt'))
  if (root === undefined || artifactPath === undefined) throw new Error(`${dir} has no trusted root or no artifact`)
  const artifact = readFileSync(artifactPath)
  const text = (name: string, byDefault: string): string =>
    existsSync(join(dir, name)) ? readFileSync(join(dir, name), 'utf8').trim() : byDefault
  const one = {
    file: readFileSync(join(dir, 'bundle.sigstore.json'), 'utf8'),
    subject: hex(artifact),
    artifactBase64: artifact.toString('base64'),
  }
  return {
    identity: text('identity', SUITE_IDENTITY),
    issuer: text('issuer', GITHUB_ISSUER),
    trustedRoot: JSON.parse(readFileSync(root, 'utf8')),
    bundles: [one],
  }
}

function hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
