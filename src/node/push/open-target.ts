import { fileURLToPath } from 'node:url'
import { DeliveryError } from '../../core/errors.ts'
import { toSourceId } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import { systemClock } from '../system-clock.ts'
import { isLoopback } from '../loopback.ts'
import { directoryTarget } from './directory-target.ts'
import { httpTarget } from './http-target.ts'
import type { PushTarget } from './push-target.ts'
import { s3Dialect } from './s3-dialect.ts'
import type { StallLimit } from './stall.ts'
import { sshTarget } from './ssh-target.ts'

/** What an address alone does not say. */
export interface TargetSettings {
  /** Secrets are read from here, never from an address. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Also plain `http:` to other machines, never with a token or to a bucket. Default: to this one only. */
  readonly allowPlainHttp?: boolean | undefined
  /** Needed for `s3:`. */
  readonly s3Endpoint?: string | undefined
  /** Default: `AWS_REGION`, else `us-east-1`. */
  readonly s3Region?: string | undefined
  /** How long a mirror may be silent. Default 30 s. */
  readonly stallMs?: number | undefined
  /** What to run instead of `ssh`. */
  readonly sshProgram?: string | undefined
  readonly clock?: Clock | undefined
}

export const DEFAULT_STALL_MS = 30_000

/**
 * Mirrors by their addresses: a folder or `file:` URL, `https://host/path`, `ssh://user@host[:port]/path`, `s3://bucket/prefix`. Nothing is
 * contacted yet.
 * @throws {DeliveryError} `input-invalid`
 * @example
 * const targets = openTargets(['/srv/mirror', 's3://releases/acme'], { env: process.env, s3Endpoint: 'https://s3.example' })
 * console.log(targets.map(({ place }) => place))
 */
export function openTargets(addresses: readonly string[], settings: TargetSettings): readonly PushTarget[] {
  requireOwnTokens(addresses, settings)
  const named = new Set<string>()
  const isOnlyWeb = addresses.filter((address) => /^https?:/i.test(address)).length === 1
  return addresses.map((address) => {
    const target = openTarget(address, { ...settings, isOnlyWeb })
    if (named.has(target.place)) throw invalid(address, 'is named twice')
    named.add(target.place)
    return target
  })
}

type Settings = TargetSettings & { readonly isOnlyWeb: boolean }

function openTarget(address: string, settings: Settings): PushTarget {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(address)?.[1]?.toLowerCase()
  if (scheme === undefined) return directoryTarget(requireFolder(address))
  const url = parseUrl(address)
  if (scheme === 'file') return directoryTarget(requireFolder(fileURLToPath(url)))
  const { clock = systemClock, stallMs = DEFAULT_STALL_MS } = settings
  const limit: StallLimit = { source: toSourceId(address.slice(0, 200)), clock, stallMs }
  if (scheme === 'https' || scheme === 'http') return openWeb(url, settings, limit)
  if (scheme === 's3') return openS3(url, settings, limit)
  if (scheme === 'ssh') return openSsh(url, settings, limit)
  throw invalid(address, 'is of no known kind: give a folder, https://, ssh:// or s3://')
}

function parseUrl(address: string): URL {
  if (!URL.canParse(address)) throw invalid(address, 'is no valid URL')
  const url = new URL(address)
  if (url.password !== '') throw invalid(url.host, 'has a password in its address, where every process of this machine can read it')
  if (url.search !== '' || url.hash !== '') throw invalid(url.host, 'may have no ? and no #')
  return url
}

function requireFolder(path: string): string {
  if (path === '' || path.startsWith('-')) throw invalid(path, 'is no folder; write ./ before a name that begins with -')
  return path
}

function openWeb(url: URL, settings: Settings, limit: StallLimit): PushTarget {
  if (url.username !== '') throw invalid(url.host, 'has a user name in its address; give a token in the environment')
  const isSafe = requireTransport(url, settings)
  const token = tokenFor(url, settings)
  if (token !== undefined && !isSafe) throw invalid(url.href, 'would get its token in the clear over http; use https')
  const base = new URL(url.href.endsWith('/') ? url.href : `${url.href}/`)
  const headers: Readonly<Record<string, string>> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return httpTarget({ place: url.href, base, authorize: () => headers }, limit)
}

/** The variable that holds the token of one server. */
function tokenVariable(host: string): string {
  return `SEALIFT_PUSH_TOKEN_${host.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')}`
}

/**
 * Names that differ in signs only, and ports of one host, share a variable: then nobody can say whose token it holds.
 * @throws {DeliveryError} `input-invalid` where the token of one would be shown to another
 */
export function requireOwnTokens(addresses: readonly string[], { env }: Pick<TargetSettings, 'env'>): void {
  const owners = new Map<string, string>()
  for (const address of addresses) {
    if (!/^https?:/i.test(address) || !URL.canParse(address)) continue
    const { hostname, origin } = new URL(address)
    const variable = tokenVariable(hostname)
    const owner = owners.get(variable) ?? origin
    if (owner !== origin && env[variable])
      throw invalid(variable, `would show one token to both ${owner} and ${origin}; name them in separate runs`)
    owners.set(variable, owner)
  }
}

/** A token is for one server: where several are named, each has a variable of its own, so that none gets another's. */
function tokenFor({ hostname }: URL, { env, isOnlyWeb }: Settings): string | undefined {
  const token = env[tokenVariable(hostname)] ?? (isOnlyWeb ? env['SEALIFT_PUSH_TOKEN'] : undefined)
  if (token === undefined || token === '') return undefined
  if (!/^[\x21-\x7e]+$/.test(token)) throw invalid(tokenVariable(hostname), 'holds characters that no header may have')
  return token
}

/** False for plain http to another machine, where that is allowed. */
function requireTransport(url: URL, { allowPlainHttp = false }: TargetSettings): boolean {
  const { protocol } = url
  if (protocol === 'https:' || isLoopback(url.href)) return true
  if (protocol !== 'http:') throw invalid(url.href, 'is no https URL')
  if (!allowPlainHttp) throw invalid(url.href, 'is plain http to another machine; use https, or allow it explicitly')
  return false
}

function openS3(url: URL, settings: Settings, limit: StallLimit): PushTarget {
  const { env, s3Region, clock = systemClock } = settings
  const bucket = url.hostname
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) throw invalid(url.href, 'names no valid bucket')
  if (url.username !== '' || url.port !== '') throw invalid(url.href, 'may have a bucket and a prefix only')
  const endpoint = requireEndpoint(url, settings)
  const [accessKeyId, secretAccessKey] = [env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY']]
  if (!accessKeyId || !secretAccessKey) throw invalid('AWS_ACCESS_KEY_ID', 'and AWS_SECRET_ACCESS_KEY are needed in the environment')
  const credentials = { accessKeyId, secretAccessKey, sessionToken: env['AWS_SESSION_TOKEN'] || undefined }
  const region = s3Region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? 'us-east-1'
  return httpTarget(s3Dialect({ place: url.href, bucket, prefix: segmentsOf(url), endpoint, region, credentials, clock }), limit)
}

function requireEndpoint({ href }: URL, settings: Settings): URL {
  const { s3Endpoint } = settings
  if (s3Endpoint === undefined) throw invalid('--s3-endpoint', `is needed for ${href}, for example https://s3.eu-central-1.amazonaws.com`)
  const endpoint = parseUrl(s3Endpoint)
  // Also where plain http is allowed: it would show the session token, and signatures of writes that anybody may repeat for some minutes.
  if (!requireTransport(endpoint, settings)) throw invalid(endpoint.href, 'would get signed requests in the clear over http; use https')
  return endpoint
}

function openSsh(url: URL, { sshProgram = 'ssh' }: Settings, limit: StallLimit): PushTarget {
  // Words that ssh would take for an option, or a shell for more than a word, are in no name that anybody needs.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?$/.test(host)) throw invalid(url.href, 'names no valid host')
  if (url.username !== '' && !/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(url.username)) throw invalid(url.href, 'names no valid user')
  const root = `/${segmentsOf(url).join('/')}`
  if (root === '/') throw invalid(url.href, 'names no folder')
  const destination = url.username === '' ? host : `${url.username}@${host}`
  return sshTarget({ place: url.href, destination, port: url.port === '' ? undefined : Number(url.port), root, program: sshProgram }, limit)
}

/** A path of plain names: `..` is resolved by the URL, and what is left stays below the root. */
function segmentsOf(url: URL): readonly string[] {
  const segments = url.pathname.split('/').filter((segment) => segment !== '')
  for (const segment of segments) {
    if (!/^[A-Za-z0-9._~+@=,-]+$/.test(segment) || segment === '..')
      throw invalid(url.href, 'has a path with other characters than letters, digits and . _ ~ + @ = , -')
  }
  return segments
}

function invalid(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail })
}
