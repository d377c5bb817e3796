import type { Snapshot, Targets, Timestamp } from '@tufjs/models'
import { readOrUndefined } from '../core/read-or-undefined.ts'
import { parseSnapshot, parseTargets, parseTimestamp, type SignedFile } from './metadata.ts'
import { isSigned, type TopLevelRole } from './signing-keys.ts'
import { acceptRoot, acceptTarget, trustPinned, type Trusted } from './trusted.ts'

/** Where a refresh keeps what it verified: without it, versions could go back with every visit. */
export interface TrustStore {
  get(key: string, signal: AbortSignal): Promise<unknown>
  /** @param value anything that can be cloned; all of it or nothing, on disk before the promise resolves */
  put(key: string, value: unknown, signal: AbortSignal): Promise<void>
}

/** One value, so that nothing can be half written. */
interface KeptRecord {
  readonly rotations: readonly Uint8Array[]
  readonly timestamp: Uint8Array | undefined
  readonly snapshot: Uint8Array | undefined
  readonly targets: Uint8Array | undefined
  readonly target: Uint8Array | undefined
  /** When a refresh last came to its end. */
  readonly refreshedAtSeconds: number | undefined
}

export interface Kept {
  readonly trusted: Trusted
  readonly refreshedAtSeconds: number | undefined
}

export function keptKey(repositoryUrl: string): string {
  return `trust-refresh:${repositoryUrl}`
}

/**
 * What can be verified again, from the pinned root on, of a record that any script of the origin could have written. Nothing is asked of the
 * network, and expiry does not count: an old file is a floor for the next, and an outage takes no trust away.
 * @throws {DeliveryError} `trust-refresh-failed` for the pinned root itself
 */
export function readKept(record: unknown, pinned: Uint8Array, targetName: string): Kept {
  const kept = parseRecord(record)
  const rooted = followRotations(trustPinned(pinned), kept.rotations)
  const signed = {
    ...rooted,
    timestamp: signedBy(rooted, 'timestamp', readOrUndefined(kept.timestamp, parseTimestamp)),
    snapshot: signedBy(rooted, 'snapshot', readOrUndefined(kept.snapshot, parseSnapshot)),
    targets: signedBy(rooted, 'targets', readOrUndefined(kept.targets, parseTargets)),
  }
  const trusted = readOrUndefined(kept.target, (bytes) => acceptTarget(signed, bytes, targetName)) ?? signed
  return { trusted, refreshedAtSeconds: kept.refreshedAtSeconds }
}

export function toRecord({ trusted, refreshedAtSeconds }: Kept): KeptRecord {
  return {
    rotations: trusted.rotations.map((file) => file.bytes),
    timestamp: trusted.timestamp?.bytes,
    snapshot: trusted.snapshot?.bytes,
    targets: trusted.targets?.bytes,
    target: trusted.target?.bytes,
    refreshedAtSeconds,
  }
}

/** As far as the kept chain leads on from the pinned root, which a later version of the page may have moved ahead. */
function followRotations(pinned: Trusted, rotations: readonly Uint8Array[]): Trusted {
  let trusted = pinned
  // A root links to the very one before it: those up to the pinned one are passed over, and nothing follows a gap.
  for (const bytes of rotations) trusted = readOrUndefined(bytes, (root) => acceptRoot(trusted, root)) ?? trusted
  return trusted
}

function signedBy<F extends SignedFile<Timestamp | Snapshot | Targets>>(
  trusted: Trusted,
  role: TopLevelRole,
  file: F | undefined,
): F | undefined {
  return file !== undefined && isSigned(trusted.root.signed, role, file.metadata) ? file : undefined
}

function parseRecord(record: unknown): KeptRecord {
  const fields: Partial<Record<keyof KeptRecord, unknown>> = typeof record === 'object' && record !== null ? record : {}
  const { rotations, refreshedAtSeconds } = fields
  return {
    rotations: Array.isArray(rotations) ? rotations.filter((item) => item instanceof Uint8Array) : [],
    timestamp: toBytes(fields.timestamp),
    snapshot: toBytes(fields.snapshot),
    targets: toBytes(fields.targets),
    target: toBytes(fields.target),
    refreshedAtSeconds: typeof refreshedAtSeconds === 'number' && Number.isFinite(refreshedAtSeconds) ? refreshedAtSeconds : undefined,
  }
}

function toBytes(value: unknown): Uint8Array | undefined {
  return value instanceof Uint8Array ? value : undefined
}
