import { readFileSync } from 'node:fs'
import { parseTicketKeys, type IceServer } from 'sealift/protocol'
import type { AdmissionMode } from './admission.ts'
import { SIGNALING_LIMITS, type SignalingLimits } from './limits.ts'
import { createStderrLog } from './log.ts'
import { createRedisBus, type RedisBusOptions } from './redis-bus.ts'
import { startSignaling, type SignalingOptions, type SignalingServer } from './server.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Options of a server that runs by itself. */
export interface SignalingSettings extends SignalingOptions {
  /** Where this process meets the others. Default: it is alone. */
  readonly redis?: RedisBusOptions | undefined
}

const PREFIX = 'SEALIFT_SIGNALING_'

/**
 * Reads the options of a server from environment variables, all starting with `SEALIFT_SIGNALING_`:
 * `ORIGINS` (comma-separated, required), `ADMISSION` (`ticket`, the default, or `open`), `KEYS` (`kid:base64url secret`, with commas
 * or line breaks between, the first signs) or `KEYS_FILE`, `PORT` (default 8787), `HOST` (default 0.0.0.0), `TLS_CERT_FILE` and `TLS_KEY_FILE`,
 * `METRICS` (`same-port`, `off` or a loopback port; default `off`), `TRUSTED_PROXIES` (comma-separated addresses),
 * `ICE` (JSON list of `{urls, username, credential}`),
 * `TURN_URLS` (comma-separated) with `TURN_SECRET` or `TURN_SECRET_FILE`, and `TURN_LIFETIME` (seconds),
 * `REDIS_URL` and `REDIS_PREFIX` (default `sealift`) where several processes share rooms, and `LIMIT_<name>` for any limit, for example `LIMIT_roomPeers=32`.
 * @throws {TypeError} naming the variable that is missing or wrong
 */
export function signalingOptionsFromEnv(env: Environment): SignalingSettings {
  const get = (name: string): string | undefined => (env[PREFIX + name] === '' ? undefined : env[PREFIX + name])
  const origins = listOf(get('ORIGINS'))
  if (origins.length === 0) throw new TypeError(`${PREFIX}ORIGINS: expected at least one origin`)
  const certFile = get('TLS_CERT_FILE')
  const keyFile = get('TLS_KEY_FILE')
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new TypeError(`${PREFIX}TLS_CERT_FILE and ${PREFIX}TLS_KEY_FILE: expected both or none`)
  return {
    origins,
    admission: admissionOf(get('ADMISSION') ?? 'ticket', get('KEYS') ?? readIfNamed(get('KEYS_FILE'))),
    port: numberOf('PORT', get('PORT') ?? '8787'),
    host: get('HOST') ?? '0.0.0.0',
    ...(certFile === undefined || keyFile === undefined
      ? {}
      : { tls: { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') } }),
    metrics: metricsOf(get('METRICS') ?? 'off'),
    trustedProxies: listOf(get('TRUSTED_PROXIES')),
    ice: iceOf(get('ICE')),
    ...turnOf(listOf(get('TURN_URLS')), get('TURN_SECRET') ?? readIfNamed(get('TURN_SECRET_FILE'))?.trim(), get('TURN_LIFETIME')),
    limits: limitsOf(get),
    redis: redisOf(get('REDIS_URL'), get('REDIS_PREFIX')),
  }
}

/**
 * Serves until `signal` aborts, then drains. Events go to standard error unless `options.log` takes them.
 * @param onListening is called once, when connections are taken
 */
export async function runSignaling(
  { redis, ...options }: SignalingSettings,
  onListening: (server: SignalingServer) => void,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  const shared = redis === undefined ? {} : { bus: await createRedisBus(redis) }
  const server = await startSignaling({ log: createStderrLog(() => Date.now()), ...shared, ...options })
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  onListening(server)
  await aborted
  await server.close()
}

function admissionOf(kind: string, keys: string | undefined): AdmissionMode {
  if (kind === 'open') return { kind }
  if (kind !== 'ticket') throw new TypeError(`${PREFIX}ADMISSION: expected ticket or open, got ${kind}`)
  return { kind, keys: parseTicketKeys(keys ?? '', (detail) => new TypeError(`${PREFIX}KEYS: ${detail}`)) }
}

function metricsOf(text: string): 'same-port' | 'off' | { readonly port: number } {
  return text === 'off' || text === 'same-port' ? text : { port: numberOf('METRICS', text) }
}

function iceOf(text: string | undefined): readonly IceServer[] {
  if (text === undefined) return []
  const wrong = new TypeError(`${PREFIX}ICE: expected a JSON list of {urls, username, credential}`)
  const list = jsonOf(text)
  if (!Array.isArray(list)) throw wrong
  return list.map((item: unknown) => {
    if (typeof item !== 'object' || item === null || !('urls' in item) || typeof item.urls !== 'string') throw wrong
    const username = 'username' in item && typeof item.username === 'string' ? item.username : undefined
    const credential = 'credential' in item && typeof item.credential === 'string' ? item.credential : undefined
    return { urls: item.urls, username, credential }
  })
}

/** The URL may hold a password: it is not repeated. */
function redisOf(url: string | undefined, prefix: string | undefined): RedisBusOptions | undefined {
  if (url === undefined) return undefined
  if (!/^rediss?:\/\/./.test(url) || !URL.canParse(url)) throw new TypeError(`${PREFIX}REDIS_URL: expected redis:// or rediss://`)
  return { url, ...(prefix === undefined ? {} : { prefix }) }
}

function turnOf(urls: readonly string[], secret: string | undefined, lifetime: string | undefined): Pick<SignalingOptions, 'turn'> {
  if ((urls.length === 0) !== (secret === undefined))
    throw new TypeError(`${PREFIX}TURN_URLS and ${PREFIX}TURN_SECRET: expected both or none`)
  if (urls.some((url) => !/^turns?:/.test(url))) throw new TypeError(`${PREFIX}TURN_URLS: expected turn: or turns:`)
  if (secret === undefined) return {}
  return { turn: { urls, secret, ...(lifetime === undefined ? {} : { lifetimeSeconds: numberOf('TURN_LIFETIME', lifetime) }) } }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A TURN credential may be in there: the caller names the variable and no more.
    return undefined
  }
}

function limitsOf(get: (name: string) => string | undefined): Partial<SignalingLimits> {
  const found = Object.keys(SIGNALING_LIMITS).flatMap((name) => {
    const text = get(`LIMIT_${name}`)
    return text === undefined ? [] : [[name, numberOf(`LIMIT_${name}`, text)] as const]
  })
  return Object.fromEntries(found)
}

function numberOf(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new TypeError(`${PREFIX}${name}: expected a whole number, got ${text}`)
  return Number(text)
}

function listOf(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function readIfNamed(file: string | undefined): string | undefined {
  return file === undefined ? undefined : readFileSync(file, 'utf8')
}
