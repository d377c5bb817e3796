import { DeliveryError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { isLabel } from '../model/names.ts'
import { openJson } from '../json/json.ts'
import type { JsonField } from '../json/json-field.ts'
import type { GatewayConfig, MeshConfig, SiteConfig } from './site-config.ts'
import { readTrust } from './trust-field.ts'
import { readUpload } from './upload-field.ts'
import { readTiers } from './tier-field.ts'
import { readBaseUrl, readSocketUrl, readWebUrl } from './url-field.ts'

/** Seven days: an outage that lasts longer is one that somebody has to decide about. */
export const DEFAULT_MAX_GRACE_SECONDS = 7 * 86_400

const CONFIG = ['schema', 'repository', 'origins', 'gateways', 'preset', 'tiers', 'mesh', 'trust', 'maxGraceSeconds'] as const
const MESH_LISTS = 16

/**
 * Reads `/sealift.json` of a portal.
 * @param baseUrl where it was fetched from; relative URLs in it are resolved against this
 * @throws {DeliveryError} `config-invalid` with the JSON path; `policy-missing` when it does not say whose signature
 * counts; `format-unsupported` when it needs a newer version
 */
export function parseSiteConfig(bytes: Uint8Array, baseUrl: string): SiteConfig {
  const limitBytes = LIMITS.siteConfigBytes
  if (bytes.length > limitBytes) throw invalid('$', `expected at most ${limitBytes} bytes, got ${bytes.length}`)
  const get = openJson(bytes, { document: 'site-config', limitBytes, refuse: invalid }).object(CONFIG)
  const schema = get('schema').schema(1)
  const ids = new Set<string>()
  return {
    schema,
    repository: get('repository').checked(isLabel, 'a name of letters, digits and . _ : -'),
    origins:
      get('origins').optional((field) => field.list(LIMITS.originsInCatalogue).map((item) => readPlace(item, { ids, baseUrl }))) ?? [],
    gateways:
      get('gateways').optional((field) => field.list(LIMITS.originsInCatalogue).map((item) => readGateway(item, { ids, baseUrl }))) ?? [],
    preset: get('preset').optional((field) => field.oneOf(['cdn-first', 'lan-first', 'offline-lan'])) ?? 'cdn-first',
    tiers: get('tiers').optional(readTiers),
    mesh: get('mesh').optional((field) => readMesh(field, baseUrl)) ?? { mode: 'off', signaling: [], ticketUrl: undefined, iceServers: [] },
    trust: readTrust(get('trust'), baseUrl),
    maxGraceSeconds: get('maxGraceSeconds').optional((field) => field.integer(0)) ?? DEFAULT_MAX_GRACE_SECONDS,
  }
}

interface PlaceContext {
  /** Names given so far: origins and gateways share them, since both become sources. */
  readonly ids: Set<string>
  readonly baseUrl: string
}

function readPlace(field: JsonField, context: PlaceContext): { readonly id: string; readonly url: string } {
  const get = field.object(['id', 'url', 'addressSpace'])
  const id = get('id').checked(isLabel, 'a name of letters, digits and . _ : -')
  if (context.ids.has(id)) throw get('id').refuse('expected a name that no other origin or gateway has')
  context.ids.add(id)
  return { id, url: readBaseUrl(get('url'), context.baseUrl) }
}

function readGateway(field: JsonField, context: PlaceContext): GatewayConfig {
  const get = field.object(['id', 'url', 'addressSpace'])
  return { ...readPlace(field, context), addressSpace: get('addressSpace').optional((item) => item.oneOf(['local', 'loopback'])) }
}

function readMesh(field: JsonField, baseUrl: string): MeshConfig {
  const get = field.object(['mode', 'signaling', 'ticketUrl', 'iceServers', 'upload'])
  return {
    mode: get('mode').optional((item) => item.oneOf(['off', 'lan', 'full', 'relay'])) ?? 'off',
    signaling: get('signaling').optional((list) => list.list(MESH_LISTS).map((item) => readSocketUrl(item, baseUrl))) ?? [],
    ticketUrl: get('ticketUrl').optional((item) => readWebUrl(item, baseUrl)),
    iceServers: get('iceServers').optional((list) => list.list(MESH_LISTS).map(readIceServer)) ?? [],
    upload: get('upload').optional(readUpload),
  }
}

function readIceServer(field: JsonField): MeshConfig['iceServers'][number] {
  const get = field.object(['urls', 'username', 'credential'])
  const urls = get('urls').text()
  if (!/^(?:stuns?|turns?):[^\s]+$/.test(urls)) throw get('urls').refuse('expected a URL that starts with stun: or turn:')
  return { urls, username: get('username').optional((item) => item.text()), credential: get('credential').optional((item) => item.text()) }
}

function invalid(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'config-invalid', path, detail })
}
