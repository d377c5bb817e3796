/** What a server of the published layout answers to, and the headers that go with it. */

export const BLOB_PATH = /^\/by-hash\/sha256\/([0-9a-f]{64})$/
export const TRUST_UPDATE_PATH = /^\/trust\/[1-9]\d{0,8}\.json$/

export const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Accept-Ranges, Content-Range, Content-Length, ETag, Retry-After',
  'cross-origin-resource-policy': 'cross-origin',
  'timing-allow-origin': '*',
  'x-content-type-options': 'nosniff',
}
export const IMMUTABLE = 'public, max-age=31536000, immutable'
/** Of the catalogue, the one file that changes. */
export const CATALOGUE_LIFETIME = 'public, max-age=60, stale-while-revalidate=300, stale-if-error=86400'
