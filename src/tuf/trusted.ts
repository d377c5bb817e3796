/** What a chain of signed files from the pinned root makes trusted (The Update Framework, version 1.0, sections 5.3 to 5.7). Pure. */

import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Root, Snapshot, Targets, Timestamp } from '@tufjs/models'
import { expiryOf, openObject, parseRoot, parseSnapshot, parseTargets, parseTimestamp, requireFresh, type SignedFile } from './metadata.ts'
import { refused, type TufRole } from './refusal.ts'
import { hasSameKeys, isSigned, requireSigned } from './signing-keys.ts'
import { TUF_LIMITS } from './tuf-limits.ts'

export interface Trusted {
  /** From the one after the pinned root on, each signed by the one before it. */
  readonly rotations: readonly SignedFile<Root>[]
  readonly root: SignedFile<Root>
  /** Undefined as long as none was verified under this root. An expired one is still a floor for the next. */
  readonly timestamp: SignedFile<Timestamp> | undefined
  readonly snapshot: SignedFile<Snapshot> | undefined
  readonly targets: SignedFile<Targets> | undefined
  /** The trusted root of Sigstore, as `targets` describes it. */
  readonly target: TrustedRootFile | undefined
}

export interface TrustedRootFile {
  readonly bytes: Uint8Array
  readonly json: object
}

/** What a signed file says of another. */
export interface Described {
  readonly length?: number | undefined
  readonly hashes?: Readonly<Record<string, string>> | undefined
}

const MEDIA_TYPE = 'application/vnd.dev.sigstore.trustedroot'
const HASHES: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = { sha256, sha512 }

/** @throws {DeliveryError} `trust-refresh-failed` when the pinned root has not signed itself */
export function trustPinned(bytes: Uint8Array): Trusted {
  const root = parseRoot(bytes)
  requireSigned(root.signed, 'root', root.metadata)
  return { rotations: [], root, timestamp: undefined, snapshot: undefined, targets: undefined, target: undefined }
}

/** Section 5.3: the next root, signed by enough keys of this one and of its own. @throws {DeliveryError} `trust-refresh-failed` */
export function acceptRoot(trusted: Trusted, bytes: Uint8Array): Trusted {
  const { signed: current } = trusted.root
  const root = parseRoot(bytes)
  requireSigned(current, 'root', root.metadata)
  requireSigned(root.signed, 'root', root.metadata)
  if (root.signed.version !== current.version + 1)
    throw refused('root', 'rollback', `version ${root.signed.version} where ${current.version + 1} was asked for`)
  const next = { ...trusted, rotations: [...trusted.rotations, root], root }
  // Section 5.3.11: whoever stole these keys may have signed a version that nothing can follow.
  const isRotated = !hasSameKeys(current, root.signed, 'timestamp') || !hasSameKeys(current, root.signed, 'snapshot')
  const cleared = isRotated ? { ...next, timestamp: undefined, snapshot: undefined } : next
  const { targets } = trusted
  const isStillSigned = targets !== undefined && isSigned(root.signed, 'targets', targets.metadata)
  return isStillSigned ? cleared : { ...cleared, targets: undefined, target: undefined }
}

/** Section 5.4. @throws {DeliveryError} `trust-refresh-failed` */
export function acceptTimestamp(trusted: Trusted, bytes: Uint8Array, nowSeconds: number): Trusted {
  const offered = parseTimestamp(bytes)
  requireSigned(trusted.root.signed, 'timestamp', offered.metadata)
  const known = trusted.timestamp
  if (known !== undefined) {
    requireNoLower('timestamp', known.signed.version, offered.signed.version)
    requireNoLower('snapshot', known.signed.snapshotMeta.version, offered.signed.snapshotMeta.version)
  }
  // Two files of one version: the known one counts.
  const timestamp = known?.signed.version === offered.signed.version ? known : offered
  requireFresh('timestamp', timestamp, nowSeconds)
  return { ...trusted, timestamp }
}

/** Section 5.5: the snapshot that the timestamp names. @throws {DeliveryError} `trust-refresh-failed` */
export function acceptSnapshot(trusted: Trusted, bytes: Uint8Array, nowSeconds: number): Trusted {
  const { version, ...described } = snapshotNamed(trusted)
  requireDescribed('snapshot', bytes, described)
  const snapshot = parseSnapshot(bytes)
  requireSigned(trusted.root.signed, 'snapshot', snapshot.metadata)
  requireVersion('snapshot', version, snapshot.signed.version)
  for (const [name, { version: known }] of Object.entries(trusted.snapshot?.signed.meta ?? {})) {
    const offered = Object.hasOwn(snapshot.signed.meta, name) ? snapshot.signed.meta[name] : undefined
    if (offered === undefined) throw refused('snapshot', 'rollback', `${name} is no longer listed`)
    requireNoLower('targets', known, offered.version)
  }
  requireFresh('snapshot', snapshot, nowSeconds)
  return { ...trusted, snapshot }
}

/** Section 5.6: the targets that the snapshot names. @throws {DeliveryError} `trust-refresh-failed` */
export function acceptTargets(trusted: Trusted, bytes: Uint8Array, nowSeconds: number): Trusted {
  const { version, ...described } = targetsNamed(trusted)
  requireDescribed('targets', bytes, described)
  const targets = parseTargets(bytes)
  requireSigned(trusted.root.signed, 'targets', targets.metadata)
  requireVersion('targets', version, targets.signed.version)
  requireFresh('targets', targets, nowSeconds)
  return { ...trusted, targets, target: undefined }
}

/** Section 5.7, without delegations. @throws {DeliveryError} `trust-refresh-failed` */
export function acceptTarget(trusted: Trusted, bytes: Uint8Array, targetName: string): Trusted {
  const { length, hashes } = targetNamed(trusted, targetName)
  requireDescribed('target', bytes, { length, hashes })
  const json = openObject('target', bytes, TUF_LIMITS.trustedRootBytes)
  if (typeof json['mediaType'] !== 'string' || !json['mediaType'].startsWith(MEDIA_TYPE))
    throw refused('target', 'format', 'not a Sigstore trusted root')
  return { ...trusted, target: { bytes, json } }
}

export function snapshotNamed({ timestamp }: Trusted): Described & { readonly version: number } {
  if (timestamp === undefined) throw new TypeError('expected a timestamp')
  const { version, length, hashes } = timestamp.signed.snapshotMeta
  return { version, length, hashes }
}

/** @throws {DeliveryError} `trust-refresh-failed` */
export function targetsNamed({ snapshot }: Trusted): Described & { readonly version: number } {
  const named = snapshot !== undefined && Object.hasOwn(snapshot.signed.meta, 'targets.json') && snapshot.signed.meta['targets.json']
  if (!named) throw refused('targets', 'missing', 'the snapshot does not list targets.json')
  const { version, length, hashes } = named
  return { version, length, hashes }
}

interface TargetNamed extends Described {
  readonly length: number
  /** What its name begins with where snapshots are consistent: SHA-256 if listed, else SHA-512. */
  readonly digest: string
}

/** @throws {DeliveryError} `trust-refresh-failed` */
export function targetNamed({ targets }: Trusted, targetName: string): TargetNamed {
  const named = targets !== undefined && Object.hasOwn(targets.signed.targets, targetName) && targets.signed.targets[targetName]
  if (!named) throw refused('target', 'missing', `the repository does not list ${targetName}`)
  const { length, hashes } = named
  const digest = Object.keys(HASHES).flatMap((name) => (Object.hasOwn(hashes, name) ? [hashes[name]] : []))[0]
  if (digest === undefined) throw refused('target', 'mismatch', 'neither SHA-256 nor SHA-512 is listed for it')
  return { length, hashes, digest }
}

/** The earliest end of all that vouches for the target, Unix seconds. */
export function expiresAtSeconds({ root, timestamp, snapshot, targets }: Trusted): number {
  return Math.min(...[root, timestamp, snapshot, targets].flatMap((file) => (file === undefined ? [] : [expiryOf(file)])))
}

/** True when length and every hash that is known here are as described. */
export function isDescribed(bytes: Uint8Array, described: Described): boolean {
  return mismatch(bytes, described) === undefined
}

function requireDescribed(role: TufRole, bytes: Uint8Array, described: Described): void {
  const detail = mismatch(bytes, described)
  if (detail !== undefined) throw refused(role, 'mismatch', detail)
}

function mismatch(bytes: Uint8Array, { length, hashes = {} }: Described): string | undefined {
  if (length !== undefined && bytes.length !== length) return `${bytes.length} bytes where ${length} were promised`
  const wrong = Object.entries(hashes).find(([name, expected]) => {
    const hash = Object.hasOwn(HASHES, name) ? HASHES[name] : undefined
    return hash !== undefined && bytesToHex(hash(bytes)) !== expected
  })
  return wrong && `its ${wrong[0]} is another one`
}

function requireVersion(role: TufRole, named: number, offered: number): void {
  if (offered !== named) throw refused(role, 'mismatch', `version ${offered} where ${named} was named`)
}

function requireNoLower(role: TufRole, known: number, offered: number): void {
  if (offered < known) throw refused(role, 'rollback', `version ${offered} after ${known}`)
}
