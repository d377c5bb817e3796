import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SIGNALING_LIMITS } from '../../signaling/limits.ts'
import { signalingOptionsFromEnv } from '../../signaling/main.ts'
import { GATEWAY_PATHS, renderGatewayUnit } from '../../src/node/gateway-unit.ts'
import { findNginx } from '../../src/node/nginx-gateway.ts'
import { packageRoot } from '../../src/node/package-root.ts'
import { readPage } from '../docs/page.ts'

const read = (name: string): string => readFileSync(join(packageRoot(), 'deploy', name), 'utf8')
const UNIT = 'sealift-signaling@.service'
const GATEWAY_UNIT = 'sealift-gateway.service'
const SECRET = Buffer.alloc(32, 3).toString('base64url')
/** Every variable that is listed; another test holds that list against what is read. */
const KNOWN = new Set([...readPage('operations.md').matchAll(/^\| `(SEALIFT_SIGNALING_[A-Z_]+)`/gm)].map(([, name]) => name))
const manifest: {
  readonly bin: { readonly sealift: string }
  readonly files: readonly string[]
  readonly engines: { readonly node: string }
} = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'))

test.each([UNIT, 'signaling.env', 'Dockerfile', 'turnserver.conf'])('%s names only variables that are read', (name) => {
  const named = [...read(name).matchAll(/SEALIFT_SIGNALING_[A-Z_]+/g)].map(([variable]) => variable)
  expect(named.length).toBeGreaterThan(0)
  expect(named.filter((variable) => !KNOWN.has(variable))).toEqual([])
})

test('signaling.env and the keys are all that a server needs', () => {
  const lines = read('signaling.env')
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line))
  const env = Object.fromEntries(lines.map((line) => line.split('=', 2)))
  expect(signalingOptionsFromEnv({ ...env, SEALIFT_SIGNALING_KEYS: `a:${SECRET}` })).toMatchObject({
    origins: ['https://portal.example'],
    trustedProxies: ['127.0.0.1'],
  })
})

test('what is shipped goes into the package, and each file is explained', () => {
  expect(manifest.files).toContain('deploy')
  for (const name of [UNIT, GATEWAY_UNIT, 'signaling.env', 'Dockerfile', 'nginx-signaling.conf', 'turnserver.conf'])
    expect(readPage('operations.md')).toContain(`deploy/${name}`)
  expect(readPage('publishing.md')).toContain('deploy/nginx-mirror.conf')
})

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
if (!hasSystemd) console.warn('NOT RUN: systemd-analyze verify, because it is missing')

/** What systemd says of a unit of this name. */
function verifyUnit(name: string, text: string) {
  const dir = mkdtempSync(join(tmpdir(), 'sealift-unit-'))
  try {
    const path = join(dir, name)
    writeFileSync(path, text)
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' })
    return { status, complaints: stderr.split('\n').filter((line) => line.includes(name.replace(/[@.].*$/, ''))) }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

describe('the systemd unit', () => {
  const unit = read(UNIT)
  const valueOf = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1] ?? ''

  test.skipIf(!hasSystemd)('is one that systemd understands', () => {
    const name = 'sealift-signaling@8787.service'
    expect(verifyUnit(name, unit)).toEqual({ status: 0, complaints: [] })
    expect(verifyUnit(name, unit.replace('Restart=always', 'Restart=sometimes')).complaints).not.toEqual([])
    expect(verifyUnit(name, unit.replace('/usr/bin/env', '/usr/bin/not-there')).complaints).not.toEqual([])
  })

  test('lets the server have as many sockets as its limits allow, and drain', () => {
    expect(Number(valueOf('LimitNOFILE'))).toBeGreaterThan(SIGNALING_LIMITS.connections + 1000)
    expect(Number(valueOf('TimeoutStopSec')) * 1000).toBeGreaterThan(SIGNALING_LIMITS.closeTimeoutMs * 2)
  })

  test('starts it again after a crash, as nobody, with nothing to write to', () => {
    expect(['Restart', 'DynamicUser', 'ProtectSystem', 'NoNewPrivileges', 'CapabilityBoundingSet'].map(valueOf)).toEqual([
      'always',
      'yes',
      'strict',
      'yes',
      '',
    ])
    expect(valueOf('ExecStart')).toBe('/usr/bin/env sealift signaling')
  })
})

describe('the systemd unit of the gateway', () => {
  const unit = read(GATEWAY_UNIT)
  const valueOf = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1] ?? ''

  test.skipIf(!hasSystemd || findNginx() === undefined)('is one that systemd understands', () => {
    const own = renderGatewayUnit({ ...GATEWAY_PATHS, nginx: findNginx() })
    expect(verifyUnit(GATEWAY_UNIT, own)).toEqual({ status: 0, complaints: [] })
    expect(verifyUnit(GATEWAY_UNIT, own.replace('Restart=always', 'Restart=sometimes')).complaints).not.toEqual([])
    expect(verifyUnit(GATEWAY_UNIT, renderGatewayUnit({ ...GATEWAY_PATHS, cacheDir: '/data/cache', nginx: findNginx() })).status).toBe(0)
  })

  test('lets nginx write where its configuration says by default, and nowhere else', () => {
    const made = { runDir: `/run/${valueOf('RuntimeDirectory')}`, cacheDir: `/var/cache/${valueOf('CacheDirectory')}` }
    expect(GATEWAY_PATHS).toMatchObject(made)
    expect(dirname(GATEWAY_PATHS.accessLog)).toBe(`/var/log/${valueOf('LogsDirectory')}`)
    expect(valueOf('ExecStart')).toBe(`/usr/sbin/nginx -p ${made.runDir} -e stderr -c ${GATEWAY_PATHS.config} -g 'daemon off;'`)
    expect(unit).not.toContain('ReadWritePaths')
    expect(renderGatewayUnit(GATEWAY_PATHS)).toBe(unit)
  })

  test('starts it again after a crash, as nobody, with no right but that to low ports', () => {
    const keys = ['Restart', 'DynamicUser', 'ProtectSystem', 'NoNewPrivileges', 'AmbientCapabilities', 'CapabilityBoundingSet']
    expect(keys.map(valueOf)).toEqual(['always', 'yes', 'strict', 'yes', 'CAP_NET_BIND_SERVICE', 'CAP_NET_BIND_SERVICE'])
  })
})

describe('the Dockerfile', () => {
  const lines = read('Dockerfile').split('\n')

  test('copies only what is there or is built, and starts what package.json names', () => {
    const copied = lines.filter((line) => line.startsWith('COPY --from=build')).map((line) => line.split(' ')[2]?.replace('/sealift/', ''))
    expect(copied).toEqual(['package.json', 'bin', 'dist/src', 'dist/signaling', 'node_modules'])
    for (const path of ['package.json', 'package-lock.json', 'bin']) expect(existsSync(join(packageRoot(), path))).toBe(true)
    for (const path of ['src/cli/main.ts', 'signaling/main.ts']) expect(existsSync(join(packageRoot(), path))).toBe(true)
    expect(lines).toContain(`ENTRYPOINT ["node", "${manifest.bin.sealift.replace('./', '')}", "signaling"]`)
  })

  test('runs a Node that will do, as nobody, on the port that it says', () => {
    const [, least = '0'] = /(\d+)/.exec(manifest.engines.node) ?? []
    for (const line of lines.filter((one) => one.startsWith('FROM '))) {
      expect(Number(/^FROM node:(\d+)-slim/.exec(line)?.[1])).toBeGreaterThanOrEqual(Number(least))
    }
    expect(lines).toContain('USER node')
    const env = Object.fromEntries(
      [...read('Dockerfile').matchAll(/(SEALIFT_SIGNALING_[A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name, value]),
    )
    const own = { ...env, SEALIFT_SIGNALING_KEYS: `a:${SECRET}`, SEALIFT_SIGNALING_ORIGINS: 'https://portal.example' }
    const { port, host } = signalingOptionsFromEnv(own)
    expect(host).toBe('0.0.0.0')
    expect(lines).toContain(`EXPOSE ${port}`)
    expect(read('Dockerfile')).toContain(`http://127.0.0.1:${port}/healthz`)
  })
})

describe('turnserver.conf', () => {
  const lines = read('turnserver.conf').split('\n')

  test('sg12.turn-cred: takes names that end at a time, and no fixed users', () => {
    expect(lines).toContain('use-auth-secret')
    expect(lines.filter((line) => line.startsWith('static-auth-secret='))).toHaveLength(1)
    expect(lines.filter((line) => /^(user=|lt-cred-mech|no-auth)/.test(line))).toEqual([])
  })

  test.each([
    '10.1.2.3',
    '127.0.0.1',
    '169.254.169.254',
    '172.20.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
  ])('sg12.turn-cred: relays nothing to %s', (address) => {
    const number = (text: string): number => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
    const denied = lines.flatMap((line) => {
      const [, start, end] = /^denied-peer-ip=([\d.]+)-([\d.]+)$/.exec(line) ?? []
      return start === undefined || end === undefined ? [] : [[number(start), number(end)] as const]
    })
    expect(denied.some(([start, end]) => start <= number(address) && number(address) <= end)).toBe(true)
    expect(denied.some(([start, end]) => start <= number('203.0.113.7') && number('203.0.113.7') <= end)).toBe(false)
  })

  test.each(['::1', 'fc00::1', 'fe80::1', '::ffff:a00:1'])('sg12.turn-cred: nor to %s', (address) => {
    const number = (text: string): bigint => {
      const [head = '', tail = ''] = text.split('::')
      const [left, right] = [head, tail].map((part) => part.split(':').filter((group) => group !== ''))
      const groups = text.includes('::')
        ? [...(left ?? []), ...Array.from({ length: 8 - (left?.length ?? 0) - (right?.length ?? 0) }, () => '0'), ...(right ?? [])]
        : (left ?? [])
      return groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n)
    }
    const denied = lines.flatMap((line) => {
      const [, start, end] = /^denied-peer-ip=([\da-f:]*:[\da-f:]*)-([\da-f:]+)$/.exec(line) ?? []
      return start === undefined || end === undefined ? [] : [[number(start), number(end)] as const]
    })
    expect(denied.length).toBeGreaterThan(3)
    expect(denied.some(([start, end]) => start <= number(address) && number(address) <= end)).toBe(true)
  })
})
