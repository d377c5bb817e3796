import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DrivenQuestion } from './answer.ts'

/** One case directory in the layout of the public Sigstore client suite: see docs/conformance.md. */
export interface ConformanceCase {
  readonly name: string
  readonly expected: 'accept' | 'reject'
  /** The same question twice: once with the bytes that were signed, once with their digest alone. */
  readonly questions: readonly { readonly input: Input; readonly question: DrivenQuestion }[]
}

export type Input = 'artifact' | 'digest'

export interface CaseFolder {
  readonly cases: readonly ConformanceCase[]
  /** What cannot be run, in words. With any of these nothing should be run: it would not be the suite that was asked for. */
  readonly problems: readonly string[]
}

export const DEFAULT_IDENTITY =
  'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main'
export const DEFAULT_ISSUER = 'https://token.actions.githubusercontent.com'

const BUNDLE = 'bundle.sigstore.json'
const DEFAULT_ROOT = 'production-trusted-root.json'

interface Defaults {
  readonly artifact: string
  readonly trustedRoots: readonly string[]
}

/** @param options.trustedRoot for cases that have none of their own; default: `production-trusted-root.json` in the folder or beside it */
export function readCases(folder: string, options: { readonly trustedRoot?: string | undefined } = {}): CaseFolder {
  if (!isFolder(folder)) return { cases: [], problems: [`there is no folder ${folder}`] }
  if (options.trustedRoot !== undefined && !existsSync(options.trustedRoot))
    return { cases: [], problems: [`there is no file ${options.trustedRoot}`] }
  const trustedRoots =
    options.trustedRoot === undefined ? [folder, dirname(folder)].map((at) => join(at, DEFAULT_ROOT)) : [options.trustedRoot]
  const defaults = { artifact: join(folder, 'a.txt'), trustedRoots }
  const names = readdirSync(folder).filter((name) => !name.startsWith('.') && isFolder(join(folder, name)))
  const read = names.toSorted().map((name) => readCase(name, join(folder, name), defaults))
  const problems = read.filter((one) => typeof one === 'string')
  return {
    cases: read.filter((one) => typeof one !== 'string'),
    problems: read.length === 0 ? [`there is no case in ${folder}`] : problems,
  }
}

function readCase(name: string, folder: string, defaults: Defaults): ConformanceCase | string {
  const bundle = optional(join(folder, BUNDLE))
  if (bundle === undefined) return `${name} has no ${BUNDLE}`
  const artifact = optional(join(folder, 'artifact')) ?? optional(defaults.artifact)
  if (artifact === undefined) return `${name} has no artifact, and there is no ${defaults.artifact}`
  const policy = policyOf(name, folder)
  const trustedRoot = [join(folder, 'trusted_root.json'), ...defaults.trustedRoots].map(optional).find((file) => file !== undefined)
  if (trustedRoot === undefined && policy.publicKey === undefined)
    return `${name} has no trusted_root.json, and there is no ${defaults.trustedRoots.join(' or ')}: pass --trusted-root FILE`
  const shared = { bundle: bundle.toString('base64'), policy, ...(trustedRoot && { trustedRoot: trustedRoot.toString('utf8') }) }
  return {
    name,
    expected: name.endsWith('_fail') ? 'reject' : 'accept',
    questions: [
      { input: 'artifact', question: { ...shared, artifact: artifact.toString('base64') } },
      { input: 'digest', question: { ...shared, digest: createHash('sha256').update(artifact).digest('hex') } },
    ],
  }
}

/** A key is asked for alone, unless the case has a client given both: the suite says that by the case's name, others may by files. */
function policyOf(name: string, folder: string): DrivenQuestion['policy'] {
  const publicKey = optional(join(folder, 'key.pub'))?.toString('utf8')
  const identity = optional(join(folder, 'identity'))?.toString('utf8').trim()
  const issuer = optional(join(folder, 'issuer'))?.toString('utf8').trim()
  const namesIdentity = identity !== undefined || issuer !== undefined || name.includes('and-client-identity')
  const certificate = { identity: identity ?? DEFAULT_IDENTITY, issuer: issuer ?? DEFAULT_ISSUER }
  if (publicKey === undefined) return certificate
  return namesIdentity ? { publicKey, ...certificate } : { publicKey }
}

function optional(path: string): Buffer | undefined {
  return existsSync(path) ? readFileSync(path) : undefined
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
