import { readFailure } from '../audit/failure-field.ts'
import { failureOf } from '../errors.ts'
import type { JsonField } from '../json/json-field.ts'
import { isFilename } from '../model/filename.ts'
import { isSha256 } from '../model/ids.ts'
import { openMessage } from './message-field.ts'
import { readArtifactRequest } from './parse-delivery-event.ts'
import { WORKER_VERSION, type NeedAnswer, type ToPageMessage, type ToWorkerMessage } from './worker-message.ts'

/** A page's message to the service worker; undefined for a foreign message or one of another version. */
export function parseToWorkerMessage(value: unknown): ToWorkerMessage | undefined {
  return ours(value, (field) => {
    const sealift = readVersion(field)
    const type = field.object(['type'])('type').oneOf(['claim', 'activate', 'ping', 'refresh'])
    return { sealift, type }
  })
}

/** The service worker's message to a page; undefined for a foreign message or one of another version. */
export function parseToPageMessage(value: unknown): ToPageMessage | undefined {
  return ours(value, (field) => {
    const type = field.object(['type'])('type').oneOf(['need'])
    return { sealift: readVersion(field), type, request: readArtifactRequest(field.object(['request'])('request')) }
  })
}

/** A page's answer on the port that came with a need. */
export function parseNeedAnswer(value: unknown): NeedAnswer | undefined {
  return ours(value, (field) => {
    const type = field.object(['type'])('type').oneOf(['accepted', 'ready', 'failed'])
    switch (type) {
      case 'accepted':
        return { type }
      case 'ready': {
        const read = field.object(['sha256', 'blob', 'filename', 'mediaType'])
        return {
          type,
          sha256: read('sha256').checked(isSha256, '64 lower-case hex digits'),
          blob: read('blob').foreignObject(),
          filename: read('filename').checked(isFilename, 'a plain file name'),
          mediaType: read('mediaType').text(),
        }
      }
      case 'failed':
        return { type, failure: readFailure(field.object(['failure'])('failure')) }
    }
  })
}

function readVersion(field: JsonField): number {
  return field.object(['sealift'])('sealift').integer(WORKER_VERSION, WORKER_VERSION)
}

/** Other scripts use these channels too: what is not ours is not an error. */
function ours<T>(value: unknown, read: (field: JsonField) => T): T | undefined {
  try {
    return read(openMessage(value))
  } catch (error) {
    if (failureOf(error) === undefined) throw error
    return undefined
  }
}
