import { readFailure, readSource } from '../audit/failure-field.ts'
import { LIMITS } from '../limits.ts'
import type { JsonField } from '../json/json-field.ts'
import { isSha256, toPieceIndex } from '../model/ids.ts'
import { THREAD_SCRIPTS, type EngineMessage, type ListedArtifact, type Seedable } from './bridge-message.ts'
import { openMessage, readBits, readBlobRef, readBytes, readNumber } from './message-field.ts'
import { PIECES_PER_NEWS } from './seed-news.ts'
import { readSiteFacts } from './parse-site-facts.ts'
import { readArtifactFacts, readCatalogueFacts, readDeliveryEvent } from './parse-delivery-event.ts'

const TYPES = [
  'opened',
  'open-failed',
  'event',
  'delivered',
  'listed',
  'done',
  'audited',
  'failed',
  'needs',
  'read',
  'read-catalogue',
  'read-cancel',
  'banned',
  'seedable',
  'seed-pieces',
  'seed-bytes',
  'thread',
] as const

type Parser<T> = (field: JsonField) => Extract<EngineMessage, { readonly type: T }>
type Parsers = { readonly [T in EngineMessage['type']]: Parser<T> }

/** Reads what an engine says to its page. Total: any value is a message or `format-invalid`. */
export function parseEngineMessage(value: unknown): EngineMessage {
  const field = openMessage(value)
  return PARSERS[field.object(['type'])('type').oneOf(TYPES)](field)
}

const call = (field: JsonField): number => readNumber(field.object(['call'])('call'))
const DIGEST = '64 lower-case hex digits'
/** An audit record as a line of JSON. */
const RECORD_BYTES = 4 * 1024 * 1024
const RECORDS = 100_000

const PARSERS: Parsers = {
  opened(field) {
    const get = field.object(['version', 'site', 'ticket'])
    const ticket = get('ticket').optional((item) => item.text(LIMITS.signalBytes))
    return { type: 'opened', version: get('version').integer(0), site: readSiteFacts(get('site')), ticket }
  },
  'open-failed': (field) => ({ type: 'open-failed', failure: readFailure(field.object(['failure'])('failure')) }),
  event: (field) => ({ type: 'event', call: call(field), event: readDeliveryEvent(field.object(['event'])('event')) }),
  delivered(field) {
    const get = field.object(['blob', 'artifact', 'record'])
    return {
      type: 'delivered',
      call: call(field),
      blob: get('blob').foreignObject(),
      artifact: readArtifactFacts(get('artifact')),
      record: readBytes(get('record'), RECORD_BYTES),
    }
  },
  listed(field) {
    const get = field.object(['catalogue', 'artifacts'])
    return {
      type: 'listed',
      call: call(field),
      catalogue: readCatalogueFacts(get('catalogue')),
      artifacts: get('artifacts').list(LIMITS.artifactsInCatalogue).map(readListed),
    }
  },
  done: (field) => ({ type: 'done', call: call(field) }),
  audited: (field) => ({
    type: 'audited',
    call: call(field),
    lines: field
      .object(['lines'])('lines')
      .list(RECORDS)
      .map((line) => line.text(RECORD_BYTES)),
  }),
  failed: (field) => ({ type: 'failed', call: call(field), failure: readEnd(field.object(['failure'])('failure')) }),
  needs(field) {
    const get = field.object(['arePeersWanted', 'artifacts'])
    const artifacts = get('artifacts').list(LIMITS.artifactsInCatalogue)
    return {
      type: 'needs',
      arePeersWanted: get('arePeersWanted').boolean(),
      artifacts: artifacts.map((item) => item.checked(isSha256, DIGEST)),
    }
  },
  read(field) {
    const get = field.object(['read', 'source', 'blob', 'range'])
    const blob = readBlobRef(get('blob'))
    const range = get('range').object(['start', 'end'])
    const start = range('start').integer(0, blob.sizeBytes)
    return {
      type: 'read',
      read: readNumber(get('read')),
      source: readSource(get('source')),
      blob,
      range: { start, end: range('end').integer(start, blob.sizeBytes) },
    }
  },
  'read-catalogue'(field) {
    const get = field.object(['read', 'source', 'trust', 'limitBytes'])
    return {
      type: 'read-catalogue',
      read: readNumber(get('read')),
      source: readSource(get('source')),
      trust: get('trust').integer(0),
      limitBytes: get('limitBytes').integer(0, LIMITS.catalogueBytes),
    }
  },
  'read-cancel': (field) => ({ type: 'read-cancel', read: readNumber(field.object(['read'])('read')) }),
  banned: (field) => ({ type: 'banned', source: readSource(field.object(['source'])('source')) }),
  seedable: (field) => ({ type: 'seedable', blobs: field.object(['blobs'])('blobs').list(LIMITS.artifactsInCatalogue).map(readSeedable) }),
  'seed-pieces'(field) {
    const get = field.object(['sha256', 'pieces'])
    const pieces = get('pieces').list(PIECES_PER_NEWS)
    return {
      type: 'seed-pieces',
      sha256: get('sha256').checked(isSha256, DIGEST),
      pieces: pieces.map((piece) => toPieceIndex(piece.integer(0))),
    }
  },
  'seed-bytes': (field) => ({
    type: 'seed-bytes',
    call: call(field),
    bytes: field
      .object(['bytes'])('bytes')
      .optional((item) => readBytes(item, LIMITS.pieceLengthMaxBytes)),
  }),
  thread(field) {
    const get = field.object(['thread', 'script'])
    return { type: 'thread', thread: readNumber(get('thread')), script: get('script').optional((item) => item.oneOf(THREAD_SCRIPTS)) }
  },
}

function readEnd(field: JsonField): Extract<EngineMessage, { type: 'failed' }>['failure'] {
  return typeof field.peek() === 'string' ? field.oneOf(['cancelled']) : readFailure(field)
}

function readListed(field: JsonField): ListedArtifact {
  const get = field.object(['name', 'version', 'platform', 'channel', 'sizeBytes', 'sha256', 'isYanked', 'isDenied', 'aliases'])
  return {
    name: get('name').text(200),
    version: get('version').text(),
    platform: get('platform').optional((item) => item.text()),
    channel: get('channel').optional((item) => item.text()),
    sizeBytes: get('sizeBytes').integer(0, LIMITS.artifactBytes),
    sha256: get('sha256').checked(isSha256, DIGEST),
    isYanked: get('isYanked').boolean(),
    isDenied: get('isDenied').boolean(),
    aliases: get('aliases')
      .list(LIMITS.aliasesPerArtifact)
      .map((url) => url.text()),
  }
}

function readSeedable(field: JsonField): Seedable {
  const get = field.object(['sha256', 'sizeBytes', 'pieceLengthBytes', 'role', 'pieces'])
  return {
    sha256: get('sha256').checked(isSha256, DIGEST),
    sizeBytes: get('sizeBytes').integer(0, LIMITS.artifactBytes),
    pieceLengthBytes: get('pieceLengthBytes').integer(1, LIMITS.pieceLengthMaxBytes),
    role: get('role').oneOf(['artifact', 'document']),
    pieces: readBits(get('pieces')),
  }
}
