import { LIMITS } from '../limits.ts'
import { isArtifactName } from '../model/ids.ts'
import { isChannel, isLabel, isPlatform, isVersion } from '../model/names.ts'
import { readBlob, readSha256, writeBlob } from './blob-field.ts'
import type { Catalogue, CatalogueEntry, Origin } from './catalogue.ts'
import { encodeJson, openJson } from '../json/json.ts'
import type { JsonField } from '../json/json-field.ts'
import { readTiers } from './tier-field.ts'
import { readBaseUrl, readWebUrl } from './url-field.ts'

const PAYLOAD = [
  'schema',
  'repository',
  'version',
  'created',
  'refreshAfter',
  'expires',
  'graceSeconds',
  'previous',
  'origins',
  'delivery',
  'denied',
  'artifacts',
] as const
const ENTRY = ['name', 'version', 'platform', 'channel', 'aliases', 'manifest', 'artifact', 'mesh', 'rollout', 'yanked'] as const

/**
 * Reads the signed payload of a catalogue. Its signature has to be verified before anything in it is used.
 * @throws {DeliveryError} `format-invalid`, `format-oversized`, `format-unsupported`
 */
export function parseCatalogue(payload: Uint8Array): Catalogue {
  const get = openJson(payload, { document: 'catalogue', limitBytes: LIMITS.catalogueBytes }).object(PAYLOAD)
  const schema = get('schema').schema(1)
  const expiresAtSeconds = get('expires').integer(1)
  const refreshAfterSeconds = get('refreshAfter').integer(0)
  if (refreshAfterSeconds > expiresAtSeconds) throw get('refreshAfter').refuse('expected a time no later than expires')
  return {
    schema,
    repository: get('repository').checked(isLabel, 'a name of letters, digits and . _ : -'),
    version: get('version').integer(1),
    createdAtSeconds: get('created').integer(0),
    refreshAfterSeconds,
    expiresAtSeconds,
    graceSeconds: get('graceSeconds').optional((field) => field.integer(0)) ?? 0,
    previous: get('previous').optional(readPrevious),
    origins: get('origins').optional(readOrigins) ?? [],
    delivery: { tiers: get('delivery').optional((field) => field.object(['tiers'])('tiers').optional(readTiers)) },
    denied: get('denied').optional((field) => field.list(LIMITS.deniedDigests).map(readSha256)) ?? [],
    artifacts: readEntries(get('artifacts')),
  }
}

/**
 * The payload to sign, its members in a fixed order. Reads back what it wrote, so that nothing is published that no client
 * would take.
 * @throws {DeliveryError} `format-invalid`, `format-oversized`
 */
export function encodeCatalogue(catalogue: Catalogue): Uint8Array<ArrayBuffer> {
  const { previous } = catalogue
  const payload = encodeJson({
    schema: catalogue.schema,
    repository: catalogue.repository,
    version: catalogue.version,
    created: catalogue.createdAtSeconds,
    refreshAfter: catalogue.refreshAfterSeconds,
    expires: catalogue.expiresAtSeconds,
    graceSeconds: catalogue.graceSeconds,
    previous: previous && { version: previous.version, sha256: previous.sha256 },
    origins: catalogue.origins.map(({ id, tier, url, region, operator }) => ({ id, tier, url, region, operator })),
    delivery: { tiers: catalogue.delivery.tiers },
    denied: catalogue.denied,
    artifacts: catalogue.artifacts.map(writeEntry),
  })
  parseCatalogue(payload)
  return payload
}

function readPrevious(field: JsonField): NonNullable<Catalogue['previous']> {
  const get = field.object(['version', 'sha256'])
  return { version: get('version').integer(1), sha256: readSha256(get('sha256')) }
}

function readOrigins(field: JsonField): readonly Origin[] {
  const ids = new Set<string>()
  return field.list(LIMITS.originsInCatalogue).map((item) => {
    const get = item.object(['id', 'tier', 'url', 'region', 'operator'])
    const id = get('id').checked(isLabel, 'a name of letters, digits and . _ : -')
    if (ids.has(id)) throw get('id').refuse('expected a name that no other origin has')
    ids.add(id)
    return {
      id,
      tier: get('tier').oneOf(['cdn', 'gateway']),
      url: readBaseUrl(get('url')),
      region: get('region').optional((text) => text.text(100)),
      operator: get('operator').optional((text) => text.text(200)),
    }
  })
}

function readEntries(field: JsonField): readonly CatalogueEntry[] {
  const seen = new Set<string>()
  return field.list(LIMITS.artifactsInCatalogue).map((item) => {
    const entry = readEntry(item)
    const key = JSON.stringify([entry.name, entry.version, entry.platform])
    if (seen.has(key)) throw item.refuse('expected one entry for each name, version and platform')
    seen.add(key)
    return entry
  })
}

function readEntry(field: JsonField): CatalogueEntry {
  const get = field.object(ENTRY)
  return {
    name: get('name').checked(isArtifactName, 'lower-case letters, digits and . _ -'),
    version: get('version').checked(isVersion, 'a version of letters, digits and . _ + ~ -'),
    platform: get('platform').optional((item) => item.checked(isPlatform, 'os/arch in lower case')),
    channel: get('channel').optional((item) => item.checked(isChannel, 'a channel of lower-case letters, digits and . _ -')),
    aliases: get('aliases').optional((list) => list.list(LIMITS.aliasesPerArtifact).map((item) => readWebUrl(item))) ?? [],
    manifest: readBlob(get('manifest'), { min: 1, max: LIMITS.manifestBytes }),
    artifact: readBlob(get('artifact'), { min: 0, max: LIMITS.artifactBytes }),
    mesh: get('mesh').optional((item) => item.boolean()) ?? false,
    rollout: get('rollout').optional((item) => item.integer(0, 100)) ?? 100,
    yanked: get('yanked').optional((item) => item.boolean()) ?? false,
  }
}

function writeEntry(entry: CatalogueEntry): object {
  return {
    name: entry.name,
    version: entry.version,
    platform: entry.platform,
    channel: entry.channel,
    aliases: entry.aliases,
    manifest: writeBlob(entry.manifest),
    artifact: writeBlob(entry.artifact),
    mesh: entry.mesh,
    rollout: entry.rollout,
    yanked: entry.yanked,
  }
}
