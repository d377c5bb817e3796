import { readFailure, readSource } from '../audit/failure-field.ts'
import { readVerdict } from '../audit/verdict-field.ts'
import { LIMITS } from '../limits.ts'
import type { JsonField } from '../json/json-field.ts'
import { isArtifactName, isSha256 } from '../model/ids.ts'
import type { ArtifactFacts, ArtifactRequest, CatalogueFacts, DeliveryEvent, PieceSpan } from './delivery-event.ts'
import { readTier } from './message-field.ts'

/** Pieces of the largest artifact: an event names at most so many spans. */
const SPANS = LIMITS.pieceListBytes / 32

export function readArtifactRequest(field: JsonField): ArtifactRequest {
  const read = field.object(['kind', 'name', 'version', 'platform', 'channel', 'sha256', 'url'])
  const kind = read('kind').oneOf(['name', 'digest', 'alias'])
  const optionalText = (name: 'version' | 'platform' | 'channel'): string | undefined => read(name).optional((item) => item.text(200))
  switch (kind) {
    case 'name':
      return {
        kind,
        name: read('name').text(200),
        version: optionalText('version'),
        platform: optionalText('platform'),
        channel: optionalText('channel'),
      }
    case 'digest':
      return { kind, sha256: read('sha256').checked(isSha256, '64 lower-case hex digits') }
    case 'alias':
      return { kind, url: read('url').text() }
  }
}

export function readArtifactFacts(field: JsonField): ArtifactFacts {
  const read = field.object([
    'name',
    'version',
    'platform',
    'filename',
    'mediaType',
    'sizeBytes',
    'sha256',
    'pieceCount',
    'pieceLengthBytes',
  ])
  return {
    name: read('name').checked(isArtifactName, 'an artifact name'),
    version: read('version').text(),
    platform: read('platform').optional((item) => item.text()),
    filename: read('filename').text(LIMITS.filenameCharacters),
    mediaType: read('mediaType').text(),
    sizeBytes: read('sizeBytes').integer(0, LIMITS.artifactBytes),
    sha256: read('sha256').checked(isSha256, '64 lower-case hex digits'),
    pieceCount: read('pieceCount').integer(0, SPANS),
    pieceLengthBytes: read('pieceLengthBytes').integer(1, LIMITS.pieceLengthMaxBytes),
  }
}

export function readCatalogueFacts(field: JsonField): CatalogueFacts {
  const read = field.object(['version', 'freshness', 'source', 'signedBy', 'expiresAtSeconds', 'nowSeconds', 'isClockSuspect'])
  return {
    version: read('version').integer(1),
    freshness: read('freshness').oneOf(['fresh', 'stale', 'pinned', 'expired']),
    source: readSource(read('source')),
    signedBy: readVerdict(read('signedBy')),
    expiresAtSeconds: read('expiresAtSeconds').integer(0),
    nowSeconds: read('nowSeconds').integer(0),
    isClockSuspect: read('isClockSuspect').boolean(),
  }
}

export function readDeliveryEvent(field: JsonField): DeliveryEvent {
  const kind = field.object(['kind'])('kind').oneOf(['phase', 'resolved', 'progress', 'trouble', 'signed'])
  switch (kind) {
    case 'phase':
      return { kind, phase: field.object(['phase'])('phase').oneOf(['resolving', 'waiting', 'fetching', 'checking', 'paused']) }
    case 'resolved': {
      const read = field.object(['artifact', 'catalogue', 'kept'])
      return {
        kind,
        artifact: readArtifactFacts(read('artifact')),
        catalogue: readCatalogueFacts(read('catalogue')),
        kept: readSpans(read('kept')),
      }
    }
    case 'progress': {
      const read = field.object(['pieces', 'verifiedBytes', 'receivedBytes', 'sizeBytes'])
      const bytes = (name: 'verifiedBytes' | 'receivedBytes' | 'sizeBytes'): number => read(name).integer(0)
      return {
        kind,
        pieces: readSpans(read('pieces')),
        verifiedBytes: bytes('verifiedBytes'),
        receivedBytes: bytes('receivedBytes'),
        sizeBytes: bytes('sizeBytes'),
      }
    }
    case 'trouble': {
      const read = field.object(['source', 'tier', 'failure', 'isBanned'])
      return {
        kind,
        source: readSource(read('source')),
        tier: readTier(read('tier')),
        failure: readFailure(read('failure')),
        isBanned: read('isBanned').boolean(),
      }
    }
    case 'signed':
      return { kind, verdicts: field.object(['verdicts'])('verdicts').list(LIMITS.bundlesPerArtifact).map(readVerdict) }
  }
}

function readSpans(field: JsonField): readonly PieceSpan[] {
  return field.list(SPANS).map((item) => {
    const read = item.object(['start', 'end', 'source', 'tier'])
    const start = read('start').integer(0, SPANS)
    return { start, end: read('end').integer(start + 1, SPANS), source: readSource(read('source')), tier: readTier(read('tier')) }
  })
}
