import { readFailure, readSource } from '../audit/failure-field.ts'
import { LIMITS } from '../limits.ts'
import type { JsonField } from '../json/json-field.ts'
import { isSha256 } from '../model/ids.ts'
import type { PageMessage, WindowSource } from './bridge-message.ts'
import { openMessage, readBits, readBytes, readNumber, readTier } from './message-field.ts'
import { readArtifactRequest } from './parse-delivery-event.ts'

const TYPES = [
  'open',
  'deliver',
  'cancel',
  'list',
  'forget',
  'audit',
  'online',
  'sources',
  'offers',
  'read-data',
  'read-end',
  'read-failed',
  'seeding',
  'seed-read',
  'seed-catalogue',
] as const
/** Sources that one window lends, at most: far above the peers that a room gives. */
const SOURCES = 256

type Parser<T> = (field: JsonField) => Extract<PageMessage, { readonly type: T }>
type Parsers = { readonly [T in PageMessage['type']]: Parser<T> }

/** Reads what a page says to its engine. Total: any value is a message or `format-invalid`. */
export function parsePageMessage(value: unknown): PageMessage {
  const field = openMessage(value)
  return PARSERS[field.object(['type'])('type').oneOf(TYPES)](field)
}

const call = (field: JsonField): number => readNumber(field.object(['call'])('call'))
const read = (field: JsonField): number => readNumber(field.object(['read'])('read'))
const DIGEST = '64 lower-case hex digits'

const PARSERS: Parsers = {
  open(field) {
    const get = field.object(['version', 'configUrl'])
    return { type: 'open', version: get('version').integer(0), configUrl: get('configUrl').text() }
  },
  deliver: (field) => ({ type: 'deliver', call: call(field), request: readArtifactRequest(field.object(['request'])('request')) }),
  cancel: (field) => ({ type: 'cancel', call: call(field) }),
  list: (field) => ({ type: 'list', call: call(field) }),
  forget: (field) => ({
    type: 'forget',
    call: call(field),
    sha256: field
      .object(['sha256'])('sha256')
      .optional((item) => item.checked(isSha256, DIGEST)),
  }),
  audit: (field) => ({ type: 'audit', call: call(field) }),
  online: () => ({ type: 'online' }),
  sources(field) {
    const get = field.object(['sources', 'isGrowing'])
    return { type: 'sources', sources: get('sources').list(SOURCES).map(readWindowSource), isGrowing: get('isGrowing').boolean() }
  },
  offers(field) {
    const get = field.object(['source', 'sha256', 'bits'])
    return {
      type: 'offers',
      source: readSource(get('source')),
      sha256: get('sha256').checked(isSha256, DIGEST),
      bits: readBits(get('bits')),
    }
  },
  'read-data': (field) => ({
    type: 'read-data',
    read: read(field),
    bytes: readBytes(field.object(['bytes'])('bytes'), LIMITS.pieceLengthMaxBytes),
  }),
  'read-end': (field) => ({ type: 'read-end', read: read(field) }),
  'read-failed': (field) => ({ type: 'read-failed', read: read(field), failure: readFailure(field.object(['failure'])('failure')) }),
  seeding: (field) => ({ type: 'seeding', isOn: field.object(['isOn'])('isOn').boolean() }),
  'seed-read'(field) {
    const get = field.object(['sha256', 'piece'])
    return { type: 'seed-read', call: call(field), sha256: get('sha256').checked(isSha256, DIGEST), piece: get('piece').integer(0) }
  },
  'seed-catalogue': (field) => ({ type: 'seed-catalogue', call: call(field), trust: field.object(['trust'])('trust').integer(0) }),
}

function readWindowSource(field: JsonField): WindowSource {
  const get = field.object(['id', 'tier', 'maxRunPieces', 'hasCatalogue', 'isLan'])
  return {
    id: readSource(get('id')),
    tier: readTier(get('tier')),
    maxRunPieces: get('maxRunPieces').integer(1, 1024),
    hasCatalogue: get('hasCatalogue').boolean(),
    isLan: get('isLan').boolean(),
  }
}
