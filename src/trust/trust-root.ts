import { TrustedRoot } from '@sigstore/protobuf-specs'
import { toTrustMaterial, type TrustMaterial } from '@sigstore/verify'
import { DeliveryError } from '../core/errors.ts'

const MEDIA_TYPES: ReadonlySet<unknown> = new Set([
  'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
  'application/vnd.dev.sigstore.trustedroot+json;version=0.2',
  'application/vnd.dev.sigstore.trustedroot.v0.1+json',
  'application/vnd.dev.sigstore.trustedroot.v0.2+json',
])

const parsed = new WeakMap<object, readonly TrustMaterial[]>()

/**
 * The trust material of one `trusted_root.json`, or of each in an array of them. Parsed once for each object.
 * None when there is no root at all.
 * @throws {DeliveryError} `format-invalid`, `format-unsupported`
 */
export function trustMaterialsOf(trustedRoot: unknown): readonly TrustMaterial[] {
  if (trustedRoot === undefined || trustedRoot === null) return []
  if (typeof trustedRoot !== 'object') throw invalid('', 'not an object')
  const known = parsed.get(trustedRoot)
  if (known !== undefined) return known
  const roots: readonly unknown[] = Array.isArray(trustedRoot) ? trustedRoot : [trustedRoot]
  if (roots.length === 0) throw invalid('', 'an empty list of roots')
  const materials = roots.map(parseRoot)
  parsed.set(trustedRoot, materials)
  return materials
}

/** Trust in nothing but one key. */
export const NO_ROOT: Omit<TrustMaterial, 'publicKey'> = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] }

function parseRoot(json: unknown): TrustMaterial {
  if (typeof json !== 'object' || json === null || !('mediaType' in json)) throw invalid('mediaType', 'missing')
  if (!MEDIA_TYPES.has(json.mediaType)) {
    throw new DeliveryError({
      code: 'format-unsupported',
      document: 'trusted-root',
      detail: `media type ${JSON.stringify(json.mediaType)}`,
    })
  }
  try {
    const root = TrustedRoot.fromJSON(json)
    requireValidity(root)
    return toTrustMaterial(root)
  } catch (error) {
    if (error instanceof DeliveryError) throw error
    throw invalid('', error instanceof Error ? error.message : 'unreadable', error)
  }
}

/** Upstream reads a missing start as "since the beginning of time". */
function requireValidity(root: TrustedRoot): void {
  for (const [name, logs] of Object.entries({ tlogs: root.tlogs, ctlogs: root.ctlogs })) {
    for (const [i, log] of logs.entries()) requirePeriod(log.publicKey?.validFor, `${name}.${i}.publicKey.validFor`)
  }
  const authorities = { certificateAuthorities: root.certificateAuthorities, timestampAuthorities: root.timestampAuthorities }
  for (const [name, list] of Object.entries(authorities)) {
    for (const [i, authority] of list.entries()) requirePeriod(authority.validFor, `${name}.${i}.validFor`)
  }
}

function requirePeriod(period: { readonly start?: Date | undefined; readonly end?: Date | undefined } | undefined, path: string): void {
  if (period?.start === undefined) throw invalid(`${path}.start`, 'missing')
  if (Number.isNaN(period.start.getTime())) throw invalid(`${path}.start`, 'not a time')
  if (period.end !== undefined && Number.isNaN(period.end.getTime())) throw invalid(`${path}.end`, 'not a time')
}

function invalid(path: string, detail: string, cause?: unknown): DeliveryError {
  return new DeliveryError({ code: 'format-invalid', document: 'trusted-root', path, detail }, { cause })
}
