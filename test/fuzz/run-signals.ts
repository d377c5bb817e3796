import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { saySignals } from './signals-session.ts'

export interface SignalsCampaign {
  readonly count: number
  readonly seed: number
  readonly from: number
  readonly isJson: boolean
}

const ORIGIN = 'https://portal.example'
const PREFIX = 'SEALIFT_SIGNALING_'
/** As it is run: built. */
const CLI = join(fileURLToPath(new URL('../../..', import.meta.url)), 'bin', 'sealift.js')
/** Those that would put an attacker out before it has said enough. */
const LIMITS = ['messageBurst', 'messagesPerSecond', 'badMessages', 'messagesTooFast', 'upgradeBurst', 'upgradesPerSecond']
const GAUGES = ['connections', 'sessions', 'rooms', 'seats'] as const
const START_MS = 20_000
const SETTLE_MS = 10_000

/**
 * `npm run fuzz -- signals`: says messages to `sealift signaling`, in a process of its own, as members and strangers might.
 * @returns exit status: 0 when it is still there, had no fault, and holds nothing of them
 */
export async function runSignals({ count, seed, from, isJson }: SignalsCampaign): Promise<number> {
  console.log(`signals: ${count} from ${from}, seed ${seed}`)
  const key = { kid: 'fuzz', secret: randomBytes(32) }
  const port = await freePort()
  const env = {
    ...process.env,
    [`${PREFIX}ORIGINS`]: ORIGIN,
    [`${PREFIX}KEYS`]: `${key.kid}:${key.secret.toString('base64url')}`,
    [`${PREFIX}PORT`]: String(port),
    [`${PREFIX}HOST`]: '127.0.0.1',
    [`${PREFIX}METRICS`]: 'same-port',
    ...Object.fromEntries(LIMITS.map((name) => [`${PREFIX}LIMIT_${name}`, '1000000000'])),
  }
  const server = spawn(process.execPath, [CLI, 'signaling'], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = once(server, 'exit')
  const hasEnded = (): boolean => server.exitCode !== null || server.signalCode !== null
  try {
    await until(async () => (await metricsOf(port)) !== undefined, START_MS)
    const indices = Array.from({ length: count }, (_, i) => from + i)
    const tally = { sent: 0, reopened: 0 }
    // Whatever ends it early is told, and so is what the server is like then.
    await saySignals({ url: `ws://127.0.0.1:${port}/`, origin: ORIGIN, key, seed }, indices, tally).catch((error: unknown) =>
      console.log(error),
    )
    const { sent, reopened } = tally
    await until(async () => heldBy(await metricsOf(port)) === 0, SETTLE_MS)
    const metrics = await metricsOf(port)
    const held = heldBy(metrics)
    const faults = numberIn(metrics, 'faults_total')
    const refused = numberIn(metrics, 'messages_refused_total{reason="bad-message"}')
    const exits = hasEnded() ? 1 : 0
    const fuzz = { target: 'signals', count: sent, refused, reopened, exits, faults, held }
    if (isJson) console.log(JSON.stringify({ fuzz }))
    else console.log(`${sent} messages: ${refused} refused, ${reopened} connections closed, ${exits} exits, ${faults} faults, ${held} held`)
    return exits === 0 && faults === 0 && held === 0 && sent === count ? 0 : 1
  } finally {
    server.kill()
    await ended
  }
}

/** Everything that the server still counts as open. */
function heldBy(metrics: string | undefined): number {
  return GAUGES.reduce((sum, name) => sum + numberIn(metrics, name), 0)
}

/** NaN where it does not say, which is no number of any limit. */
function numberIn(metrics: string | undefined, name: string): number {
  const line = metrics?.split('\n').find((each) => each.startsWith(`sealift_signaling_${name} `))
  return Number(line?.split(' ')[1] ?? Number.NaN)
}

async function metricsOf(port: number): Promise<string | undefined> {
  return await fetch(`http://127.0.0.1:${port}/metrics`).then(
    (response) => response.text(),
    // Not there yet, or no more.
    () => undefined,
  )
}

async function until(isSo: () => Promise<boolean>, forMs: number): Promise<void> {
  const endMs = performance.now() + forMs
  while (!(await isSo()) && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 100))
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
