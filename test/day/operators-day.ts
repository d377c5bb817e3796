import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findNginx } from '../../src/node/nginx-gateway.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { freePorts, sealift, startNginx, startPortal, startSealift, writeMirrorConfig, type Ended, type Running } from './parts.ts'

/** One thing that an operator does, and how it went. */
export interface DayStep {
  readonly name: string
  readonly passed: boolean
  readonly seconds: number
  /** What the command said when it went wrong. */
  readonly said: string | undefined
}

const MIB = 1024 * 1024
const FILES = { 'agent-1.2.3-linux-amd64.tar.gz': 3 * MIB + 5, 'image-1.2.3.iso': 20 * MIB } as const
const AGENT = 'agent-1.2.3-linux-amd64.tar.gz'
const SAID = 1500
const TOKEN = 'token-of-this-day'
/** One byte in each stretch of this length is wrong: far more than one piece in ten. */
const ROT_EVERY_BYTES = MIB

type Mirror = 'primary' | 'second'

/** Everything that runs, on loopback. */
class Day {
  readonly dir: string
  readonly nginx: string
  readonly #running = new Map<string, Running>()
  readonly steps: DayStep[] = []
  ports: Readonly<Record<Mirror | 'gateway' | 'signaling' | 'portal', number>>

  constructor(dir: string, nginx: string, ports: readonly number[]) {
    const [primary = 0, second = 0, gateway = 0, signaling = 0, portal = 0] = ports
    this.dir = dir
    this.nginx = nginx
    this.ports = { primary, second, gateway, signaling, portal }
  }

  path(...parts: readonly string[]): string {
    return join(this.dir, ...parts)
  }

  url(part: keyof Day['ports']): string {
    return `http://127.0.0.1:${this.ports[part]}/`
  }

  /** Where a mirror is written to: under a host of its own, as mirrors have them, since each host has a token of its own. */
  writeUrl(mirror: Mirror): string {
    return mirror === 'second' ? this.url(mirror).replace('127.0.0.1', 'localhost') : this.url(mirror)
  }

  get config(): string {
    return this.path('public', 'sealift.json')
  }

  async keep(name: string, starting: Promise<Running>): Promise<void> {
    this.#running.set(name, await starting)
  }

  async stop(name: string): Promise<void> {
    await this.#running.get(name)?.stop()
    this.#running.delete(name)
  }

  async end(): Promise<void> {
    for (const name of this.#running.keys()) await this.stop(name)
  }

  /** A command that has to end with this code, and to say this. */
  async run(name: string, args: readonly string[], expected: { readonly exitCode?: number; readonly says?: RegExp } = {}): Promise<void> {
    await this.step(name, async () => {
      const ended = await sealift(args, { SEALIFT_PUSH_TOKEN_127_0_0_1: TOKEN, SEALIFT_PUSH_TOKEN_LOCALHOST: TOKEN, HOME: this.dir })
      requireEnd(ended, expected)
    })
  }

  async step(name: string, act: () => Promise<void>): Promise<void> {
    const startMs = performance.now()
    // What follows builds on it.
    if (this.steps.some(({ passed }) => !passed)) return
    const said = await act().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    const step = { name, passed: said === undefined, seconds: Math.round(performance.now() - startMs) / 1000, said }
    this.steps.push(step)
    process.stderr.write(`${step.passed ? 'ok  ' : 'FAIL'} ${name}  [${step.seconds} s]${said === undefined ? '' : `\n     ${said}`}\n`)
  }

  startMirror(mirror: Mirror): Promise<void> {
    const port = this.ports[mirror]
    const start = async (): Promise<Running> => {
      const config = await writeMirrorConfig(this.path(`${mirror}-run`), this.path(mirror), port, TOKEN)
      return await startNginx(this.nginx, config, port)
    }
    return this.keep(mirror, start())
  }
}

/** Plays a whole day of an operator against real parts, and leaves nothing behind. */
export async function playDay(): Promise<readonly DayStep[]> {
  const nginx = findNginx()
  if (nginx === undefined) throw new Error('nginx is missing: apt-get install nginx-light')
  const day = new Day(await mkdtemp(join(tmpdir(), 'sealift-day-')), nginx, await freePorts(5))
  try {
    await setUp(day)
    await release(day)
    await outage(day)
    await rot(day)
    await afterwards(day)
  } finally {
    await day.end()
    await rm(day.dir, { recursive: true, force: true })
  }
  return day.steps
}

async function setUp(day: Day): Promise<void> {
  for (const [at, [name, sizeBytes]] of Object.entries(FILES).entries()) {
    await mkdir(day.path('releases'), { recursive: true })
    await writeFile(day.path('releases', name), seededBytes(at + 1, sizeBytes))
  }
  await mkdir(day.path('public'))
  await writeFile(day.path('public', 'index.html'), '<!doctype html><title>portal</title>')
  await day.run('a key', ['keygen', day.path('keys')])
  const places = [
    '--origin',
    `primary=${day.url('primary')}`,
    '--origin',
    `second=${day.url('second')}`,
    '--gateway',
    `site=${day.url('gateway')}`,
  ]
  const signaling = ['--signaling', day.url('signaling').replace('http', 'ws')]
  const trust = ['--public-key', day.path('keys', 'signing-key.pub')]
  await day.run('a portal', [
    'init',
    day.path('public'),
    '--repository',
    'acme',
    ...places,
    ...signaling,
    ...trust,
    '--shell',
    'index.html',
  ])
  await day.step('two mirrors, a gateway, signaling and the portal start', async () => {
    for (const mirror of ['primary', 'second'] as const) {
      await mkdir(day.path(mirror))
      await day.startMirror(mirror)
    }
    const { port, config } = await gatewayOf(day)
    await day.keep('gateway', startNginx(day.nginx, config, port))
    const listen = ['--port', String(day.ports.signaling), '--host', '127.0.0.1', '--open', '--site', new URL(day.url('portal')).origin]
    await day.keep('signaling', startSealift(['signaling', ...listen], /signaling on/))
    const portal = await startPortal(day.path('public'), day.ports.portal)
    await day.keep('portal', Promise.resolve({ stop: () => portal.stop() }))
  })
}

async function gatewayOf(day: Day): Promise<{ readonly port: number; readonly config: string }> {
  const [config, run, pinned] = [day.path('gateway.conf'), day.path('gateway-run'), day.path('pinned')]
  for (const dir of [run, pinned, day.path('gateway-cache')]) await mkdir(dir)
  const port = day.ports.gateway
  const folders = ['--run-dir', run, '--cache-dir', day.path('gateway-cache'), '--pinned', pinned, '--access-log', day.path('gateway.log')]
  const who = ['--listen', `127.0.0.1:${port}`, '--portal', new URL(day.url('portal')).origin, '--catalogue-for', '1s']
  const user = process.getuid?.() === 0 ? ['--user', 'root'] : []
  requireEnd(await sealift(['gateway', 'config', '--config', day.config, ...who, ...folders, ...user, '--out', config]), {})
  return { port, config }
}

async function release(day: Day): Promise<void> {
  const signing = ['--key', day.path('keys', 'signing-key.pem')]
  const places = ['--origin', `primary=${day.url('primary')}`, '--origin', `second=${day.url('second')}`]
  const term = ['--expires-in', '14d', '--grace', '2d']
  await day.run('publish and sign', [
    'publish',
    day.path('releases'),
    '--out',
    day.path('site'),
    '--repository',
    'acme',
    ...signing,
    ...places,
    ...term,
  ])
  await day.run('verify', ['verify', day.path('releases', AGENT), '--site', day.path('site'), '--config', day.config])
  await push(day, 'push to both mirrors, with a quorum of two', ['primary', 'second'])
  await day.run('check: everything is green', check(day, ['--challenge']))
  await day.step('a seed offers what was published', async () => {
    const seed = ['seed', day.path('site'), '--portal', day.url('portal'), '--config', day.config, '--json']
    await day.keep('seed', startSealift(seed, /"offered"[\s\S]*"offered"/))
  })
}

async function outage(day: Day): Promise<void> {
  await day.step('the primary goes down', () => day.stop('primary'))
  await day.run('check: it is noticed', check(day, []), { exitCode: 8, says: /primary/ })
  await day.run('a page still completes', ['drill', day.url('portal'), '--only', 'healthy', '--json'], { says: /"percent":100/ })
  const audit = ['--audit', day.path('audit.jsonl')]
  await day.run('get still completes', [
    'get',
    'agent',
    '--platform',
    'linux/amd64',
    '--config',
    day.config,
    '--out',
    day.path('got.tar.gz'),
    ...audit,
  ])
  await day.step('... with the right bytes', async () => {
    if ((await digestOf(day.path('got.tar.gz'))) !== (await digestOf(day.path('releases', AGENT)))) throw new Error('other bytes')
  })
  await day.run('promote the second mirror', [
    'promote',
    day.path('site'),
    '--first',
    'second',
    '--key',
    day.path('keys', 'signing-key.pem'),
  ])
  await push(day, 'push that to the mirror that is left', ['second'])
  await day.step('the primary comes back', () => day.startMirror('primary'))
  await day.run('check: it lags behind', check(day, ['--lag', '0']), { exitCode: 8, says: /primary/ })
  await day.run('sync brings it up to date', sync(day, 'primary', []))
  await day.run('check: green again', check(day, ['--challenge']))
}

async function rot(day: Day): Promise<void> {
  await day.step('bytes of the second mirror rot', () => spoil(day.path('second')))
  await day.run('check without a challenge sees nothing', check(day, []))
  await day.run('the challenge finds it', check(day, ['--challenge']), { exitCode: 8, says: /second/ })
  await day.run('sync heals it', sync(day, 'second', ['--deep']))
  // The gateway fetched rotten bytes in the meantime, and finds that out when somebody verifies them.
  await day.run('the challenge passes', check(day, ['--challenge', '--skip', 'site']))
  await day.run('pages heal the gateway', ['drill', day.url('portal'), '--only', 'cdn-refused', '--json'], { says: /"percent":100/ })
}

async function afterwards(day: Day): Promise<void> {
  await day.run('the audit record verifies', ['audit', 'verify', day.path('audit.jsonl')])
  await day.run('report', ['report', day.path('audit.jsonl')], { says: /second/ })
  await day.run('the drill prints 100 %', ['drill', day.url('portal')], { says: /: 100 %/ })
}

function check(day: Day, more: readonly string[]): readonly string[] {
  return ['check', '--config', day.config, '--portal', new URL(day.url('portal')).origin, ...more]
}

function sync(day: Day, mirror: Mirror, more: readonly string[]): readonly string[] {
  return ['sync', day.path('site'), day.writeUrl(mirror), '--config', day.config, ...more]
}

async function push(day: Day, name: string, mirrors: readonly Mirror[]): Promise<void> {
  const to = mirrors.flatMap((mirror) => ['--to', day.writeUrl(mirror)])
  await day.run(name, ['push', day.path('site'), ...to, '--quorum', String(mirrors.length), '--config', day.config])
}

/** Every large file, as a dying disk does it: of the right size. */
async function spoil(root: string): Promise<void> {
  const blobs = join(root, 'by-hash', 'sha256')
  for (const name of await readdir(blobs)) {
    if ((await stat(join(blobs, name))).size < MIB) continue
    const bytes = await readFile(join(blobs, name))
    for (let at = 0; at < bytes.length; at += ROT_EVERY_BYTES) bytes[at] = 255 - (bytes[at] ?? 0)
    await writeFile(join(blobs, name), bytes)
  }
}

async function digestOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

function requireEnd({ exitCode, out, err }: Ended, expected: { readonly exitCode?: number; readonly says?: RegExp }): void {
  const wanted = expected.exitCode ?? 0
  if (exitCode !== wanted) throw new Error(`ended with ${exitCode}, not ${wanted}: ${(err + out).slice(0, SAID)}`)
  if (expected.says !== undefined && !expected.says.test(out)) throw new Error(`did not say ${expected.says.source}: ${out.slice(0, SAID)}`)
}
