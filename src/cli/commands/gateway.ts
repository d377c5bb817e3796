import { createReadStream } from 'node:fs'
import { getServers } from 'node:dns'
import { addAbortSignal, type Readable } from 'node:stream'
import type { Command } from 'commander'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import { needsResolver, renderGatewayConfig, type NginxOptions } from '../../node/gateway-config.ts'
import { countGatewayLog } from '../../node/gateway-metrics.ts'
import { GATEWAY_PATHS, renderGatewayUnit } from '../../node/gateway-unit.ts'
import { cannotRead } from '../../node/input-file.ts'
import { findNginx } from '../../node/nginx-gateway.ts'
import { readConfig } from '../../node/verify/read-config.ts'
import { EXIT_HELP } from '../exit-codes.ts'
import { portalOf, readPortal } from '../portal.ts'
import type { Terminal } from '../terminal.ts'
import { collect, parseDuration } from '../values.ts'
import { writeOutput } from '../write-output.ts'

export function addGateway(program: Command, terminal: Terminal): void {
  const gateway = program.command('gateway').description('set up a gateway in the local network, and count what it did')
  addConfig(gateway, terminal)
  addMetrics(gateway, terminal)
}

interface ConfigFlags {
  readonly config?: string
  readonly origin?: readonly string[]
  readonly portal?: readonly string[]
  readonly listen: string
  readonly resolver?: readonly string[]
  readonly pinned: string
  readonly cacheDir: string
  readonly maxSize?: string
  readonly catalogueFor?: number
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly originCa?: string
  readonly public?: string
  readonly signaling?: string
  readonly user?: string
  readonly runDir: string
  readonly accessLog: string
  readonly errorLog: string
  readonly systemd?: boolean
  readonly out?: string
}

function addConfig(gateway: Command, terminal: Terminal): void {
  gateway
    .command('config')
    .description('print the nginx configuration of a gateway')
    .option('--config <file-or-url>', "the portal's sealift.json: its origins, and from a URL the portal too")
    .option('--origin <url>', 'where to pull from, instead of the origins in --config; repeat for several', collect)
    .option('--portal <origin>', 'a portal whose scripts may read the answers; repeat for several', collect)
    .option('--listen <where>', '[ADDRESS:]PORT', '8080')
    .option('--resolver <address>', 'DNS server; repeat for several; default those of this machine', collect)
    .option('--pinned <dir>', 'a published layout that is served before anything is pulled', GATEWAY_PATHS.pinnedRoot)
    .option('--cache-dir <dir>', 'where to keep what was pulled', GATEWAY_PATHS.cacheDir)
    .option('--max-size <size>', 'most that is kept, as nginx writes sizes; default 50g')
    .option('--catalogue-for <duration>', 'how long a catalogue is served before the origins are asked again; default 60s', parseDuration)
    .option('--allow <network>', 'let in clients of this network alone: 10.0.0.0/8; repeat for several', collect)
    .option('--deny <network>', 'let in no clients of this network; repeat for several', collect)
    .option('--tls-cert <file>', 'PEM certificate chain; with --tls-key, serves https')
    .option('--tls-key <file>', 'PEM private key')
    .option('--origin-ca <file>', 'PEM authorities that have to vouch for https origins; default not checked, for every byte is verified')
    .option('--public <dir>', "the portal's public files, for machines that never visited it; needs --tls-cert")
    .option('--signaling <address>', 'ADDRESS:PORT of a signaling server, to be reached at /signaling')
    .option('--user <account>', 'account of the workers, when nginx is started as root')
    .option('--run-dir <dir>', 'for the process id, sockets and temporary files', GATEWAY_PATHS.runDir)
    .option('--access-log <file>', 'one JSON object for each request, or off', GATEWAY_PATHS.accessLog)
    .option('--error-log <file>', 'a file, or stderr', 'stderr')
    .option('--systemd', 'print the systemd unit that runs it, instead of the configuration')
    .option('--out <file>', 'write there, in one step, instead of printing')
    .addHelpText(
      'after',
      `\nExample:\n  sealift gateway config --config https://portal.example/sealift.json --allow 10.0.0.0/8 --out ${GATEWAY_PATHS.config}\n  sealift gateway config --origin https://cdn.example/ --portal https://portal.example --listen 443 \\\n    --tls-cert /etc/sealift/tls.pem --tls-key /etc/sealift/tls.key --public /srv/portal\n  sealift gateway config --config sealift.json --portal https://portal.example --systemd --out /etc/systemd/system/sealift-gateway.service\n${EXIT_HELP}`,
    )
    .action(async (flags: ConfigFlags, command: Command) => {
      const options = await toOptions(flags, command, terminal.signal)
      const config = byFlag(() => renderGatewayConfig(options))
      const text = flags.systemd === true ? renderGatewayUnit({ ...options, nginx: findNginx() }) : config
      if (flags.out === undefined) return terminal.out(text)
      await writeOutput(flags.out, text)
      terminal.out(`written    ${flags.out}\n`)
    })
}

/** Where what a flag says goes, when it is not the flag's own name. */
const FLAGS: Readonly<Record<string, string>> = {
  origins: '--origin',
  allowedOrigins: '--portal',
  pinnedRoot: '--pinned',
  catalogueSeconds: '--catalogue-for',
  originAuthorities: '--origin-ca',
  publicRoot: '--public',
  cacheDir: '--cache-dir',
  maxSize: '--max-size',
  runDir: '--run-dir',
  accessLog: '--access-log',
  errorLog: '--error-log',
  'tls.certificate': '--tls-cert',
  'tls.key': '--tls-key',
}

/** What `work` gives; a refusal names the flag, where the library names its option. */
function byFlag<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    const failure = failureOf(error)
    if (failure?.code !== 'config-invalid') throw error
    const option = failure.path.replace(/\[\d+\]$/, '')
    throw new DeliveryError({ code: 'input-invalid', path: FLAGS[option] ?? `--${option}`, detail: failure.detail }, { cause: error })
  }
}

async function toOptions(flags: ConfigFlags, command: Command, signal: AbortSignal): Promise<NginxOptions> {
  const { config: place, maxSize, user, allow, deny, signaling } = flags
  const config = place === undefined ? undefined : await readConfig(place, signal)
  const origins = flags.origin ?? config?.origins.map(({ url }) => url) ?? []
  if (origins.length === 0) throw invalid('--origin', 'or a --config that has origins is needed')
  const portals = flags.portal?.map((portal) => readPortal(portal, command)) ?? [portalOf(place)]
  const allowedOrigins = portals.filter((portal) => portal !== undefined)
  if (allowedOrigins.length === 0) throw invalid('--portal', 'is needed: else no page may read what the gateway answers')
  return {
    origins,
    allowedOrigins,
    cacheDir: flags.cacheDir,
    pinnedRoot: flags.pinned,
    listen: flags.listen,
    runDir: flags.runDir,
    errorLog: flags.errorLog,
    accessLog: flags.accessLog,
    resolver: flags.resolver ?? (byFlag(() => needsResolver(origins)) ? ownResolvers() : []),
    user,
    maxSize,
    allow,
    deny,
    signaling,
    catalogueSeconds: flags.catalogueFor,
    publicRoot: flags.public,
    originAuthorities: flags.originCa,
    tls: tlsOf(flags),
  }
}

function tlsOf({ tlsCert, tlsKey }: ConfigFlags): NginxOptions['tls'] {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert === undefined || tlsKey === undefined) throw invalid('--tls-cert', 'and --tls-key belong together')
  return { certificate: tlsCert, key: tlsKey }
}

/** Those that this machine asks; one with a zone is none that nginx could name. */
function ownResolvers(): readonly string[] {
  return getServers()
    .filter((server) => !server.includes('%'))
    .map((server) => (server.includes(':') && !/^\[|^[\d.]+:/.test(server) ? `[${server}]` : server))
}

interface MetricsFlags {
  readonly out?: string
}

function addMetrics(gateway: Command, terminal: Terminal): void {
  gateway
    .command('metrics')
    .description("count the requests in a gateway's access log, for Prometheus")
    .argument('<file>', 'the log; - for what is piped in')
    .option('--out <file>', 'write there, in one step, instead of printing: NAME.prom for the textfile collector of node_exporter')
    .addHelpText(
      'after',
      `\nIt names no client.\n\nExample:\n  sealift gateway metrics ${GATEWAY_PATHS.accessLog} --out /var/lib/node_exporter/sealift-gateway.prom\n${EXIT_HELP}`,
    )
    .action(async (file: string, { out }: MetricsFlags) => {
      const text = await count(file, terminal)
      if (out === undefined) terminal.out(text)
      else await writeOutput(out, text)
    })
}

async function count(file: string, { in: piped, signal }: Terminal): Promise<string> {
  const stream: Readable = addAbortSignal(signal, file === '-' ? piped : createReadStream(file))
  try {
    return await countGatewayLog(stream, signal)
  } catch (error) {
    signal.throwIfAborted()
    throw cannotRead(file, error)
  }
}

function invalid(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail })
}
