import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { renderPublicFiles, renderSignaling } from './gateway-locations.ts'
import { invalid, network, path, word } from './gateway-words.ts'
import { packageRoot } from './package-root.ts'

/** What every LAN gateway is told, nginx or our own. */
export interface GatewayOptions {
  /** Base URLs of the origins, http or https, in the order in which they are tried. At least one. */
  readonly origins: readonly string[]
  /** Origins of portals whose scripts may read the answers, such as `https://downloads.example.com`. */
  readonly allowedOrigins: readonly string[]
  /** Absolute path; made when it is missing. */
  readonly cacheDir: string
  /** Absolute path of a published layout whose files are served before anything is pulled. */
  readonly pinnedRoot: string
  /** For how long a catalogue is served before the origins are asked again. Whole seconds, 1 to 3600; default 60. */
  readonly catalogueSeconds?: number | undefined
}

/** A running gateway. */
export interface RunningGateway {
  /** Without a trailing slash. */
  readonly url: string
  /** Ends it; what is cached stays. */
  close(): Promise<void>
}

export interface NginxOptions extends GatewayOptions {
  /** As nginx wants it: `8080`, `127.0.0.1:8080`, `[::1]:8080`. */
  readonly listen: string
  /** Absolute path for the process id, sockets and temporary files; at most 80 characters, since a socket's path is limited. */
  readonly runDir: string
  /** Absolute path of a file, or `stderr`. */
  readonly errorLog: string
  /** Absolute path of a file, one JSON object per line, or `off`. */
  readonly accessLog: string
  /** Addresses of DNS servers. Needed as soon as one origin is a name. */
  readonly resolver?: readonly string[] | undefined
  /** Account of the workers. Default: what nginx was built with. */
  readonly user?: string | undefined
  /** Serves https instead of http. Absolute paths. */
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined
  /** Absolute path of the authorities that may vouch for https origins. Default: not checked, since every byte is verified by its reader. */
  readonly originAuthorities?: string | undefined
  /** Of the cached slices, as nginx writes sizes. Default `50g`. */
  readonly maxSize?: string | undefined
  /** Networks whose clients may connect, as `10.0.0.0/8` or one address. Default: all. The narrowest network that fits counts, of both lists. */
  readonly allow?: readonly string[] | undefined
  /** Networks whose clients may not. */
  readonly deny?: readonly string[] | undefined
  /**
   * Absolute path of the portal's public files, served at `/` for machines that never visited it. Needs `tls`. Whoever opens that page
   * trusts the gateway for its code and for the `sealift.json` in that folder; nobody else does.
   */
  readonly publicRoot?: string | undefined
  /** Address and port of a signaling server on this machine or beside it, such as `127.0.0.1:8787`. Served at `/signaling`. */
  readonly signaling?: string | undefined
}

/**
 * The nginx configuration of a LAN gateway. Starts with all origins and DNS dead.
 * @throws {DeliveryError} `config-invalid` when an option is not what its description says: it could smuggle a directive in
 * @example
 * console.log(
 *   renderGatewayConfig({
 *     listen: '8080',
 *     origins: ['https://cdn.example/'],
 *     allowedOrigins: ['https://portal.example'],
 *     cacheDir: '/var/cache/sealift',
 *     pinnedRoot: '/srv/sealift',
 *     runDir: '/run/sealift',
 *     errorLog: 'stderr',
 *     accessLog: 'off',
 *     resolver: ['10.0.0.1'],
 *   }),
 * )
 */
export function renderGatewayConfig(options: NginxOptions): string {
  const origins = parseOrigins(options.origins)
  const values: Readonly<Record<string, string>> = {
    user: options.user === undefined ? '' : `user ${word('user', options.user)};`,
    run_dir: runDirOf(options),
    error_log: options.errorLog === 'stderr' ? 'stderr' : path('errorLog', options.errorLog),
    access_log: options.accessLog === 'off' ? '/dev/null' : path('accessLog', options.accessLog),
    cache_dir: path('cacheDir', options.cacheDir),
    max_size: word('maxSize', options.maxSize ?? '50g'),
    resolver: renderResolver(origins, options.resolver ?? []),
    allowed_origins: parseAllowedOrigins(options.allowedOrigins)
      .map((origin) => `"${origin}" $http_origin;`)
      .join('\n    '),
    origin_upstreams: origins.map((_, i) => `server unix:${options.runDir}/o${i}.sock max_fails=1 fail_timeout=10s;`).join('\n    '),
    origin_servers: origins.map((origin, i) => renderOriginServer(origin, `${options.runDir}/o${i}.sock`)).join('\n  '),
    origin_count: String(origins.length),
    origin_trust: renderOriginTrust(options.originAuthorities),
    listen: word('listen', options.listen) + (options.tls === undefined ? '' : ' ssl'),
    tls: renderTls(options.tls),
    catalogue_seconds: String(catalogueSecondsOf(options)),
    pinned_root: path('pinnedRoot', options.pinnedRoot),
    foreign_by_default: (options.allow ?? []).length > 0 ? '1' : '0',
    networks: renderNetworks(options).join('\n    '),
    signaling: renderSignaling(options.signaling),
    public_files: renderPublicFiles(options.publicRoot, options.tls !== undefined),
  }
  return readTemplate().replaceAll(/\{\{([a-z_]+)\}\}/g, (_, name: string) => valueOf(values, name))
}

/**
 * The origins as URLs with a path that ends in `/`.
 * @throws {DeliveryError} `config-invalid`
 */
export function parseOrigins(origins: readonly string[]): readonly URL[] {
  if (origins.length === 0) throw invalid('origins', 'name at least one origin')
  return origins.map((text, i) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    const isPlain = url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '' && url.hash === ''
    if (!isPlain || !/^[\w./~:[\]-]*$/.test(url.host + url.pathname)) throw invalid(`origins[${i}]`, 'expected a plain http or https URL')
    return url.pathname.endsWith('/') ? url : new URL(`${url.pathname}/`, url)
  })
}

/** @throws {DeliveryError} `config-invalid` when one is not exactly what a browser sends as `Origin` */
export function parseAllowedOrigins(origins: readonly string[]): readonly string[] {
  for (const [i, text] of origins.entries()) {
    if (!URL.canParse(text) || new URL(text).origin !== text || text.includes('"'))
      throw invalid(`allowedOrigins[${i}]`, 'expected scheme, host and port, without a path')
  }
  return origins
}

/** @throws {DeliveryError} `config-invalid` */
export function catalogueSecondsOf(options: GatewayOptions): number {
  const seconds = options.catalogueSeconds ?? 60
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 3600)
    throw invalid('catalogueSeconds', 'expected a whole number from 1 to 3600')
  return seconds
}

function valueOf(values: Readonly<Record<string, string>>, name: string): string {
  const value = values[name]
  if (value === undefined) throw new TypeError(`the template names ${name}, which nothing fills`)
  return value
}

/** What browsers do to the site that says it, its stored pieces and its service worker included: an origin has no business there. */
const FOR_A_SITE = [
  'Clear-Site-Data',
  'Alt-Svc',
  'Strict-Transport-Security',
  'NEL',
  'Report-To',
  'Reporting-Endpoints',
  'Refresh',
  'Link',
  'Service-Worker-Allowed',
  'WWW-Authenticate',
  'Set-Cookie',
]

function renderOriginServer(origin: URL, socket: string): string {
  const base = origin.pathname.replace(/\/$/, '')
  return [
    'server {',
    `    listen unix:${socket};`,
    '    access_log off;',
    `    set $origin "${origin.host}";`,
    '    location / {',
    `      proxy_set_header Host "${origin.host}";`,
    '      proxy_set_header Range $http_range;',
    '      proxy_set_header Connection "";',
    `      proxy_ssl_name "${origin.hostname}";`,
    ...FOR_A_SITE.map((name) => `      proxy_hide_header ${name};`),
    `      proxy_pass ${origin.protocol}//$origin${base}$uri;`,
    '    }',
    '  }',
  ].join('\n')
}

function renderResolver(origins: readonly URL[], resolver: readonly string[]): string {
  const named = origins.find(isNamed)
  if (resolver.length === 0) {
    if (named !== undefined) throw invalid('resolver', `name a DNS server: ${named.hostname} has to be looked up`)
    return ''
  }
  return `resolver ${resolver.map((one, i) => word(`resolver[${i}]`, one)).join(' ')} valid=30s;\n  resolver_timeout 1s;`
}

/** Whether an origin has to be looked up. @throws {DeliveryError} `config-invalid` */
export function needsResolver(origins: readonly string[]): boolean {
  return parseOrigins(origins).some(isNamed)
}

function isNamed({ hostname }: URL): boolean {
  return isIP(hostname.replace(/^\[|\]$/g, '')) === 0
}

function renderOriginTrust(authorities: string | undefined): string {
  if (authorities === undefined) return ''
  return `proxy_ssl_verify on;\n  proxy_ssl_verify_depth 4;\n  proxy_ssl_trusted_certificate ${path('originAuthorities', authorities)};`
}

function renderTls(tls: NginxOptions['tls']): string {
  if (tls === undefined) return ''
  return `ssl_certificate ${path('tls.certificate', tls.certificate)};\n    ssl_certificate_key ${path('tls.key', tls.key)};\n    ssl_protocols TLSv1.2 TLSv1.3;`
}

function renderNetworks({ allow = [], deny = [] }: NginxOptions): readonly string[] {
  const rules = [
    ...allow.map((text, i) => [network(`allow[${i}]`, text), 0] as const),
    ...deny.map((text, i) => [network(`deny[${i}]`, text), 1] as const),
  ]
  const seen = new Set<string>()
  for (const [name] of rules) {
    if (seen.has(name)) throw invalid('allow', `names ${name} twice, or deny does too`)
    seen.add(name)
  }
  return rules.map(([name, isForeign]) => `${name} ${isForeign};`)
}

function runDirOf(options: NginxOptions): string {
  if (options.runDir.length > 80) throw invalid('runDir', 'at most 80 characters')
  return path('runDir', options.runDir)
}

function readTemplate(): string {
  return readFileSync(join(packageRoot(), 'gateway', 'nginx.conf.template'), 'utf8')
}
