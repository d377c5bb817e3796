import type { Key, Metadata, Root } from '@tufjs/models'
import { decodeBase64 } from '../core/base64.ts'
import { refused, type TufRole } from './refusal.ts'

export type TopLevelRole = Exclude<TufRole, 'target'>
type AnyMetadata = Parameters<Metadata<Root>['verifyDelegate']>[1]

/** How long a key is: as a bare point, and at the end of its SubjectPublicKeyInfo. */
const SCHEMES: Readonly<Record<string, { readonly point: number; readonly spki: number }>> = {
  ed25519: { point: 32, spki: 44 },
  'ecdsa-sha2-nistp256': { point: 65, spki: 91 },
  'ecdsa-sha2-nistp384': { point: 97, spki: 120 },
}
const PEM = /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/
const HEX = /^(?:[0-9a-f]{2})+$/i

interface Count {
  readonly signed: number
  readonly needed: number
  /** Schemes of keys that cannot be used here. */
  readonly unread: readonly string[]
}

/**
 * Refuses metadata that too few of a role's keys have signed. A key counts once, under however many ids and spellings it is listed;
 * a key of a scheme that is not read here (RSA) does not count.
 * @throws {DeliveryError} `trust-refresh-failed`
 */
export function requireSigned(root: Root, role: TopLevelRole, metadata: AnyMetadata): void {
  const { signed, needed, unread } = countSigners(root, role, metadata)
  if (signed >= needed) return
  const others = unread.length === 0 ? '' : `; keys that are not read here: ${unread.join(', ')}`
  throw refused(role, 'signatures', `${signed} of the ${needed} keys that version ${root.version} of the root asks for${others}`)
}

export function isSigned(root: Root, role: TopLevelRole, metadata: AnyMetadata): boolean {
  const { signed, needed } = countSigners(root, role, metadata)
  return signed >= needed
}

function countSigners(root: Root, role: TopLevelRole, metadata: AnyMetadata): Count {
  const { keyIDs, threshold } = roleOf(root, role)
  const signers = new Set<string>()
  const unread = new Set<string>()
  for (const id of keyIDs) {
    const key = keyOf(root, id)
    if (key === undefined) continue
    const point = pointOf(key)
    if (point === undefined) unread.add(key.scheme)
    else if (isSignedBy(key, metadata)) signers.add(point)
  }
  return { signed: signers.size, needed: threshold, unread: [...unread] }
}

/** True when the role is signed by the same keys under both roots. */
export function hasSameKeys(before: Root, after: Root, role: TopLevelRole): boolean {
  const list = (root: Root): string =>
    roleOf(root, role)
      .keyIDs.toSorted()
      .map((id) => `${id} ${keyOf(root, id)?.keyVal['public']}`)
      .join('\n')
  return list(before) === list(after)
}

function roleOf(root: Root, role: TopLevelRole): Root['roles'][string] {
  const found = Object.hasOwn(root.roles, role) ? root.roles[role] : undefined
  if (found === undefined) throw refused('root', 'format', `no role ${role}`)
  return found
}

function keyOf(root: Root, id: string): Key | undefined {
  return Object.hasOwn(root.keys, id) ? root.keys[id] : undefined
}

/** The key itself, in hex: what is left when ids, PEM and white space are taken away. Undefined when it is none that is read here. */
function pointOf({ scheme, keyVal }: Key): string | undefined {
  const lengths = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined
  const text = keyVal['public']
  if (lengths === undefined || text === undefined) return undefined
  const hex = HEX.test(text) ? text.toLowerCase() : pemToHex(text)
  if (hex?.length !== 2 * lengths.point && hex?.length !== 2 * lengths.spki) return undefined
  const point = hex.slice(-2 * lengths.point)
  // A curve's point has a hybrid form of the same length, and would be another key in it.
  return scheme === 'ed25519' || point.startsWith('04') ? point : undefined
}

function pemToHex(pem: string): string | undefined {
  const bytes = decodeBase64(PEM.exec(pem)?.[1]?.replaceAll(/\s/g, '') ?? '-')
  return bytes && Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function isSignedBy(key: Key, metadata: AnyMetadata): boolean {
  try {
    key.verifySignature(metadata)
    return true
  } catch {
    // No signature by this key, a wrong one, or a key that cannot be used: it does not count, and others may.
    return false
  }
}
