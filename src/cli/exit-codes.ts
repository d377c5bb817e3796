import { failureOf, type Failure } from '../core/errors.ts'

/** What the process says when it ends. Scripts rely on these numbers. */
export const EXIT = {
  ok: 0,
  /** A fault of Sealift itself, or of the machine under it. */
  fault: 1,
  /** The command line, a file named in it, or a configuration is wrong. Nothing was done. */
  usage: 2,
  /** Looked at and refused: signature, identity, digest, size, age. Do not use the file. */
  refused: 3,
  /** Signed and sound, but what was asked for is not published there. */
  unknown: 4,
  /** Could not be judged: a server or a blob cannot be reached. Try again. */
  unavailable: 5,
  /** Something that has to be installed or built is not there. */
  missing: 6,
  /** The site holds something that publishing would overwrite. Nothing became visible. */
  conflict: 7,
  /** Stopped by the user: 128 + SIGINT. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

const USAGE: ReadonlySet<Failure['code']> = new Set(['input-invalid', 'config-invalid', 'policy-missing', 'ticket-invalid'])
const REFUSED: ReadonlySet<Failure['code']> = new Set([
  'format-invalid',
  'format-oversized',
  'format-unsupported',
  'bundle-invalid',
  'signature-invalid',
  'identity-mismatch',
  'subject-mismatch',
  'provenance-refused',
  'signature-missing',
  'catalogue-rollback',
  'catalogue-equivocation',
  'catalogue-expired',
  'catalogue-future',
  'catalogue-repository',
  'artifact-denied',
  'artifact-digest',
  'artifact-size',
  'manifest-mismatch',
  'digest-mismatch',
  'blob-mismatch',
])
const UNKNOWN: ReadonlySet<Failure['code']> = new Set(['artifact-unknown', 'artifact-ambiguous'])
const UNAVAILABLE: ReadonlySet<Failure['code']> = new Set([
  'source-unreachable',
  'source-status',
  'source-protocol',
  'source-length',
  'source-timeout',
  'source-missing',
  'source-refused',
  'blob-unavailable',
  'catalogue-unavailable',
  'config-unavailable',
  'sources-exhausted',
])

/** The number for what a command threw. A catalogue that no place gave because each was refused counts as refused. */
export function exitCodeOf(error: unknown): ExitCode {
  const failure = failureOf(error)
  return failure === undefined ? EXIT.fault : codeOf(failure)
}

function codeOf(failure: Failure): ExitCode {
  const { code } = failure
  if (code === 'catalogue-unavailable' && failure.reasons.some((reason) => REFUSED.has(reason.code))) return EXIT.refused
  if (USAGE.has(code)) return EXIT.usage
  if (REFUSED.has(code)) return EXIT.refused
  if (UNKNOWN.has(code)) return EXIT.unknown
  if (UNAVAILABLE.has(code)) return EXIT.unavailable
  if (code === 'tool-missing') return EXIT.missing
  if (code === 'publish-conflict') return EXIT.conflict
  return EXIT.fault
}

/** The table for `--help`. */
export const EXIT_HELP = `
Exit codes:
  0    done, or verified
  1    a fault of sealift or of this machine
  2    the command line, a file it names, or a configuration is wrong
  3    refused: signature, identity, digest, size or age; do not use the file
  4    not published there
  5    could not be judged: a server or a blob cannot be reached
  6    something has to be installed or built first
  7    the site holds something that publishing would overwrite
  130  interrupted`
