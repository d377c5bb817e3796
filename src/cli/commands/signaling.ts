import type { Command } from 'commander'
import { runSignaling, signalingOptionsFromEnv, type Environment } from '../../../signaling/main.ts'
import { capYoungSpace } from '../../../signaling/young-space.ts'
import { DeliveryError } from '../../core/errors.ts'
import type { Terminal } from '../terminal.ts'
import { collect } from '../values.ts'

interface Flags {
  readonly site?: readonly string[]
  readonly port?: string
  readonly host?: string
  readonly open?: boolean
  readonly keysFile?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly metrics?: string
  readonly redis?: string
  readonly turnUrl?: readonly string[]
  readonly turnSecretFile?: string
  readonly turnLifetime?: string
}

export function addSignaling(program: Command, terminal: Terminal): void {
  program
    .command('signaling')
    .description('run the server that introduces peers to each other; it never sees what they exchange')
    .option('--site <origin>', 'origin of pages that may connect; repeat for several', collect)
    .option('--port <number>', 'default 8787')
    .option('--host <address>', 'default 0.0.0.0')
    .option('--open', 'let in whoever comes from a listed origin, without a ticket')
    .option('--keys-file <file>', 'ticket keys, as `sealift token` makes them')
    .option('--tls-cert <file>', 'PEM certificate; with --tls-key, serves wss:')
    .option('--tls-key <file>', 'PEM private key')
    .option('--metrics <where>', 'same-port, off, or a loopback port; default off')
    .option('--redis <url>', 'redis:// or rediss:// where several processes share their rooms; default none. Needs @redis/client')
    .option('--turn-url <url>', 'TURN server to hand out credentials for; repeat for several', collect)
    .option('--turn-secret-file <file>', 'the secret that it shares with this server')
    .option('--turn-lifetime <seconds>', 'how long such credentials are good for; default 3600')
    .addHelpText(
      'after',
      '\nEvery setting can also be given in the environment, as SEALIFT_SIGNALING_ORIGINS and so on; options win.\n\nExample:\n  sealift signaling --site https://portal.example --keys-file ./secrets/signaling-keys --port 8787',
    )
    .action(async (flags: Flags) => {
      const options = readOptions({ ...terminal.env, ...toEnvironment(flags) })
      capYoungSpace()
      await runSignaling(options, (server) => terminal.out(`signaling on ${server.url}\n`), terminal.signal)
    })
}

function toEnvironment(flags: Flags): Environment {
  const named = {
    ORIGINS: flags.site?.join(','),
    PORT: flags.port,
    HOST: flags.host,
    ADMISSION: flags.open === true ? 'open' : undefined,
    KEYS_FILE: flags.keysFile,
    TLS_CERT_FILE: flags.tlsCert,
    TLS_KEY_FILE: flags.tlsKey,
    METRICS: flags.metrics,
    REDIS_URL: flags.redis,
    TURN_URLS: flags.turnUrl?.join(','),
    TURN_SECRET_FILE: flags.turnSecretFile,
    TURN_LIFETIME: flags.turnLifetime,
  }
  const given = Object.entries(named).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given.map(([name, value]) => [`SEALIFT_SIGNALING_${name}`, value]))
}

function readOptions(env: Environment) {
  try {
    return signalingOptionsFromEnv(env)
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    throw new DeliveryError({ code: 'input-invalid', path: 'signaling', detail }, { cause: error })
  }
}
