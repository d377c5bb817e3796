import { createHash } from 'node:crypto'
import type { Clock } from '../../core/ports.ts'
import { encodeStrictly, type HttpDialect } from './http-target.ts'
import { signV4, type S3Credentials } from './sigv4.ts'

export interface S3Place {
  /** `s3://bucket/prefix`. */
  readonly place: string
  readonly bucket: string
  /** Segments below the bucket. */
  readonly prefix: readonly string[]
  readonly endpoint: URL
  readonly region: string
  readonly credentials: S3Credentials
  readonly clock: Clock
}

const EMPTY = createHash('sha256').digest('hex')

/**
 * An S3-compatible store, by path (`endpoint/bucket/key`), which all of them understand. The digest of each file is signed, so that the store
 * itself refuses what was altered on the way.
 */
export function s3Dialect({ place, bucket, prefix, endpoint, region, credentials, clock }: S3Place): HttpDialect {
  const segments = [bucket, ...prefix].map(encodeStrictly)
  return {
    place,
    base: new URL(`${endpoint.href.replace(/\/$/, '')}/${segments.join('/')}/`),
    authorize({ method, url, sha256 = EMPTY }) {
      const request = { method, url, headers: { 'x-amz-content-sha256': sha256 }, payloadSha256: sha256 }
      return signV4(request, { credentials, region, service: 's3', nowMs: clock.nowMs() })
    },
  }
}
