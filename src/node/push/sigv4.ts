import { createHash, createHmac } from 'node:crypto'

/** Keys of an S3-compatible store. */
export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | undefined
}

/** A request without a query, as it is to be signed. */
export interface SignedRequest {
  readonly method: string
  /** Its path is percent-encoded already, and signed as it stands. */
  readonly url: URL
  /** To be signed besides `host` and `x-amz-date`; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Hex; of no bytes where there is no body. */
  readonly payloadSha256: string
}

export interface SigningScope {
  readonly credentials: S3Credentials
  readonly region: string
  readonly service: string
  /** Unix milliseconds. */
  readonly nowMs: number
}

const ALGORITHM = 'AWS4-HMAC-SHA256'

/** Headers that carry an AWS Signature Version 4. `host` is signed as the HTTP client will send it. */
export function signV4(request: SignedRequest, scope: SigningScope): Readonly<Record<string, string>> {
  const { credentials, region, service } = scope
  const stamp = new Date(scope.nowMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
  const day = stamp.slice(0, 8)
  const token: Readonly<Record<string, string>> =
    credentials.sessionToken === undefined ? {} : { 'x-amz-security-token': credentials.sessionToken }
  const own = { ...request.headers, ...token, 'x-amz-date': stamp }
  const signed = Object.entries({ ...own, host: request.url.host }).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const names = signed.map(([name]) => name).join(';')
  const canonical = [
    request.method,
    request.url.pathname,
    '',
    ...signed.map(([name, value]) => `${name}:${value.trim().replaceAll(/ +/g, ' ')}`),
    '',
    names,
    request.payloadSha256,
  ].join('\n')
  const range = `${day}/${region}/${service}/aws4_request`
  const text = [ALGORITHM, stamp, range, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${credentials.secretAccessKey}`)
  const signature = hmac(key, text).toString('hex')
  return {
    ...own,
    authorization: `${ALGORITHM} Credential=${credentials.accessKeyId}/${range}, SignedHeaders=${names}, Signature=${signature}`,
  }
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest()
}
