import { Metadata, MetadataKind, type Root, type Snapshot, type Targets, type Timestamp } from '@tufjs/models'
import { DeliveryError } from '../core/errors.ts'
import { openJson } from '../core/json/json.ts'
import { refused, type TufRole } from './refusal.ts'
import { TUF_LIMITS } from './tuf-limits.ts'
import type { TopLevelRole } from './signing-keys.ts'

type JsonObject = Parameters<typeof Metadata.fromJSON>[1]
type JsonValue = JsonObject[string]

/** One file of the repository, and what it says. Whether anybody signed it is for `requireSigned` to find out. */
export interface SignedFile<T extends Root | Timestamp | Snapshot | Targets> {
  readonly bytes: Uint8Array
  readonly metadata: Metadata<T>
  readonly signed: T
}

/** A time as TUF writes it. `Date` alone would take many others, some of them in local time. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

export function parseRoot(bytes: Uint8Array): SignedFile<Root> {
  return parse('root', bytes, TUF_LIMITS.rootBytes, (json) => Metadata.fromJSON(MetadataKind.Root, json))
}

export function parseTimestamp(bytes: Uint8Array): SignedFile<Timestamp> {
  return parse('timestamp', bytes, TUF_LIMITS.timestampBytes, (json) => Metadata.fromJSON(MetadataKind.Timestamp, json))
}

export function parseSnapshot(bytes: Uint8Array): SignedFile<Snapshot> {
  return parse('snapshot', bytes, TUF_LIMITS.snapshotBytes, (json) => Metadata.fromJSON(MetadataKind.Snapshot, json))
}

export function parseTargets(bytes: Uint8Array): SignedFile<Targets> {
  return parse('targets', bytes, TUF_LIMITS.targetsBytes, (json) => Metadata.fromJSON(MetadataKind.Targets, json))
}

/** A bounded JSON object of whoever wrote it. @throws {DeliveryError} `trust-refresh-failed` */
export function openObject(role: TufRole, bytes: Uint8Array, limitBytes: number): JsonObject {
  if (bytes.length > limitBytes) throw refused(role, 'oversized', `more than ${limitBytes} bytes`)
  const refuse = (path: string, detail: string): DeliveryError => refused(role, 'format', `${path}: ${detail}`)
  const json = openJson(bytes, { document: 'trusted-root', limitBytes, refuse }).foreignObject()
  if (!isBounded(json)) throw refused(role, 'format', `more than ${TUF_LIMITS.membersPerValue} members in one value`)
  return json
}

/** Unix seconds. */
export function expiryOf({ signed }: SignedFile<Root | Timestamp | Snapshot | Targets>): number {
  return Date.parse(signed.expires) / 1000
}

/** @throws {DeliveryError} `trust-refresh-failed` */
export function requireFresh(role: TopLevelRole, file: SignedFile<Root | Timestamp | Snapshot | Targets>, nowSeconds: number): void {
  if (nowSeconds >= expiryOf(file)) throw refused(role, 'expired', `version ${file.signed.version} expired at ${file.signed.expires}`)
}

function parse<T extends Root | Timestamp | Snapshot | Targets>(
  role: TopLevelRole,
  bytes: Uint8Array,
  limitBytes: number,
  read: (json: JsonObject) => Metadata<T>,
): SignedFile<T> {
  const metadata = readModel(role, openObject(role, bytes, limitBytes), read)
  const { version, expires } = metadata.signed
  if (!Number.isSafeInteger(version) || version < 1) throw refused(role, 'format', 'version is not a whole number from 1')
  if (!TIME.test(expires)) throw refused(role, 'format', 'expires is not a time in UTC')
  return { bytes, metadata, signed: metadata.signed }
}

function readModel<T>(role: TufRole, json: JsonObject, read: (json: JsonObject) => T): T {
  try {
    return read(json)
  } catch (error) {
    // The models throw whatever comes of a hostile file.
    throw refused(role, 'format', error instanceof Error ? error.message : 'unreadable', error)
  }
}

function isBounded(value: object): value is JsonObject {
  return isBoundedValue(value)
}

function isBoundedValue(value: unknown): value is JsonValue {
  if (typeof value !== 'object' || value === null) return true
  const items: readonly unknown[] = Array.isArray(value) ? value : Object.values(value)
  return items.length <= TUF_LIMITS.membersPerValue && items.every(isBoundedValue)
}
