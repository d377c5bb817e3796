import { failureOf, HANDLING, type Failure, type TrustFailure } from '../core/errors.ts'

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
  /** Looked at, and found wanting: what is listed should be mended. */
  wanting: 8,
  /** Stopped by the user: 128 + SIGINT. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Whoever adds a code has to say here how a command ends with it, unless it is a refusal already by its kind. */
type Told = Exclude<Failure['code'], TrustFailure['code']> | 'catalogue-expired'

/** What is no refusal by `HANDLING`. */
const OTHERWISE: Readonly<Record<Told, ExitCode> & Partial<Record<Failure['code'], ExitCode>>> = {
  'source-unreachable': EXIT.unavailable,
  'source-status': EXIT.unavailable,
  'source-protocol': EXIT.unavailable,
  'source-length': EXIT.unavailable,
  'source-timeout': EXIT.unavailable,
  'source-missing': EXIT.unavailable,
  'source-refused': EXIT.unavailable,
  // A page asks the next source for these; a command has looked at all the places that it was given.
  'digest-mismatch': EXIT.refused,
  'blob-mismatch': EXIT.refused,
  // A page may still have the file by its digest; whoever checks a file by its name may not use it.
  'catalogue-expired': EXIT.refused,
  'catalogue-unavailable': EXIT.unavailable,
  'artifact-unknown': EXIT.unknown,
  'artifact-ambiguous': EXIT.unknown,
  'sources-exhausted': EXIT.unavailable,
  'blob-unavailable': EXIT.unavailable,
  'config-invalid': EXIT.usage,
  'config-unavailable': EXIT.unavailable,
  'policy-missing': EXIT.usage,
  'ticket-invalid': EXIT.usage,
  'input-invalid': EXIT.usage,
  'tool-missing': EXIT.missing,
  'publish-conflict': EXIT.conflict,
  // Of browsers alone: in a command they would be a fault of ours.
  'gateway-permission': EXIT.fault,
  'quota-exceeded': EXIT.fault,
  'store-failed': EXIT.fault,
  'store-tampered': EXIT.fault,
  'insecure-context': EXIT.fault,
  'engine-lost': EXIT.fault,
  'still-fetching': EXIT.fault,
  'no-page': EXIT.fault,
  'version-skew': EXIT.fault,
  'pairing-refused': EXIT.fault,
  'peer-frame': EXIT.fault,
  'peer-proof': EXIT.fault,
  'peer-timeout': EXIT.fault,
  'peer-closed': EXIT.fault,
  'signal-invalid': EXIT.fault,
  'signal-refused': EXIT.fault,
}

/** The number for what a command threw. A catalogue that no place gave because each was refused counts as refused. */
export function exitCodeOf(error: unknown): ExitCode {
  const failure = failureOf(error)
  return failure === undefined ? EXIT.fault : exitCodeOfFailure(failure)
}

/** As `exitCodeOf`, for a failure that was reported instead of thrown. */
export function exitCodeOfFailure(failure: Failure): ExitCode {
  if (failure.code === 'catalogue-unavailable' && failure.reasons.some((reason) => exitCodeOfFailure(reason) === EXIT.refused))
    return EXIT.refused
  if (HANDLING[failure.code].isRefusal) return EXIT.refused
  return OTHERWISE[failure.code] ?? EXIT.refused
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
  8    looked at and found wanting: mend what is listed
  130  interrupted`
