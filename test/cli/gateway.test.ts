import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { makeFolder } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { startMirror } from '../probe/mirror.ts'
import { runCli } from './run-cli.ts'

const PORTAL = ['--portal', 'https://portal.example']
const ORIGIN = ['--origin', 'http://10.0.0.7/']
const configured = {
  schema: 1,
  repository: 'acme',
  trust: { catalogueSigners: [{ identity: 'me', issuer: 'https://issuer.example' }], trustedRoot: {} },
}
const ORIGINS = [{ id: 'eu', url: 'https://cdn.example/' }]

describe('gateway config', () => {
  test('prints what the flags say', async () => {
    const flags = [
      '--listen',
      '10.0.0.1:8081',
      '--resolver',
      '10.0.0.53',
      '--max-size',
      '9g',
      '--catalogue-for',
      '2m',
      '--allow',
      '10.0.0.0/8',
    ]
    const { exitCode, out, err } = await runCli(['gateway', 'config', '--origin', 'https://cdn.example/files', ...PORTAL, ...flags])
    expect([exitCode, err]).toEqual([EXIT.ok, ''])
    for (const line of [
      'listen 10.0.0.1:8081;',
      'resolver 10.0.0.53 valid=30s;',
      'proxy_cache_valid 200 120s;',
      '10.0.0.0/8 0;',
      'proxy_pass https://$origin/files$uri;',
      '"https://portal.example" $http_origin;',
      'root /srv/sealift;',
      'pid /run/sealift-gateway/nginx.pid;',
    ])
      expect(out).toContain(line)
    expect(out).toContain('max_size=9g')
    expect(out).not.toContain('{{')
  })

  test('takes origins, and the portal, from its sealift.json', async () => {
    const portal = await startMirror(await makeFolder({ 'sealift.json': JSON.stringify({ ...configured, origins: ORIGINS }) }))
    const { out } = await runCli(['gateway', 'config', '--config', `${portal.url}sealift.json`, '--resolver', '10.0.0.53'])
    expect(out).toContain('set $origin "cdn.example";')
    expect(out).toContain(`"${new URL(portal.url).origin}" $http_origin;`)
  })

  test('asks the DNS servers of this machine when none is named', async () => {
    const { exitCode, out, err } = await runCli(['gateway', 'config', '--origin', 'https://cdn.example/', ...PORTAL])
    // A machine that has none has to be told.
    if (exitCode === EXIT.ok) expect(out).toMatch(/resolver [\d.:a-f[\] ]+ valid=30s;/)
    else expect(err).toContain('--resolver')
  })

  test('writes the file in one step, or leaves the old one as it is', async () => {
    const dir = await temporaryFolder()
    const out = join(dir, 'gateway.conf')
    await writeFile(out, 'old')
    const refused = await runCli(['gateway', 'config', ...ORIGIN, ...PORTAL, '--cache-dir', 'relative', '--out', out])
    expect([refused.exitCode, await readFile(out, 'utf8'), await readdir(dir)]).toEqual([EXIT.usage, 'old', ['gateway.conf']])
    const written = await runCli(['gateway', 'config', ...ORIGIN, ...PORTAL, '--out', out])
    expect([written.exitCode, written.out]).toEqual([EXIT.ok, `written    ${out}\n`])
    expect(await readFile(out, 'utf8')).toBe((await runCli(['gateway', 'config', ...ORIGIN, ...PORTAL])).out)
    expect(await readdir(dir)).toEqual(['gateway.conf'])
    const nowhere = await runCli(['gateway', 'config', ...ORIGIN, ...PORTAL, '--out', join(out, 'below')])
    expect(nowhere).toMatchObject({ exitCode: EXIT.usage, out: '' })
  })

  test.each([
    ['no origin', [...PORTAL], /--origin.*--config/],
    ['no portal', [...ORIGIN], /--portal.*is needed/],
    ['a portal that is none', [...ORIGIN, '--portal', 'portal.example'], /'--portal' must be a URL/],
    ['an origin with a password', ['--origin', 'https://a:hunter2@cdn.example/', ...PORTAL], /--origin.*plain http or https/],
    ['half of the TLS files', [...ORIGIN, ...PORTAL, '--tls-cert', '/x'], /--tls-cert.*--tls-key belong together/],
    ['a network that is none', [...ORIGIN, ...PORTAL, '--allow', '10.0.0.0/33'], /--allow.*expected an address or a network/],
    ['a network that ends the directive', [...ORIGIN, ...PORTAL, '--deny', '10.0.0.1;'], /--deny.*expected an address or a network/],
    ['a network twice', [...ORIGIN, ...PORTAL, '--allow', '10.0.0.0/8', '--deny', '10.0.0.0/8'], /--allow.*10.0.0.0\/8 twice/],
    ['signaling by name', [...ORIGIN, ...PORTAL, '--signaling', 'localhost:8787'], /--signaling.*expected an address and a port/],
    ['signaling at no port', [...ORIGIN, ...PORTAL, '--signaling', '127.0.0.1:99999'], /--signaling/],
    ['a folder with a blank', [...ORIGIN, ...PORTAL, '--pinned', '/srv/a b'], /--pinned.*absolute path/],
    ['a catalogue kept for a day', [...ORIGIN, ...PORTAL, '--catalogue-for', '1d'], /--catalogue-for.*1 to 3600/],
  ])('with %s ends with 2 and names the flag', async (_, args, says) => {
    const result = await runCli(['gateway', 'config', ...args])
    expect(result).toMatchObject({ exitCode: EXIT.usage, out: '' })
    expect(result.err).toMatch(says)
    expect(result.err).not.toContain('hunter2')
  })

  test('prints the unit that runs it, which may write where this one has to', async () => {
    const usual = await runCli(['gateway', 'config', ...ORIGIN, ...PORTAL, '--systemd'])
    expect(usual.out).toMatch(/^ExecStart=\S*nginx -p \/run\/sealift-gateway -e stderr -c \/etc\/sealift\/gateway.conf -g 'daemon off;'$/m)
    expect(usual.out).not.toContain('ReadWritePaths')
    const flags = ['--cache-dir', '/data/cache', '--run-dir', '/data/run', '--access-log', 'off']
    const other = await runCli(['gateway', 'config', ...ORIGIN, ...PORTAL, ...flags, '--systemd'])
    expect(other.out).toContain('ReadWritePaths=/data/run /data/cache\n')
    expect(other.out).toContain('nginx -p /data/run -e stderr')
  })
})

describe('gateway metrics', () => {
  const line = JSON.stringify({ ms: 1, uri: '/catalogue.json', status: 200, bytes: 5, cache: 'HIT', seconds: 0.001 })

  test('counts what is piped in, and writes a file in one step', async () => {
    const out = join(await temporaryFolder(), 'gateway.prom')
    const piped = await runCli(['gateway', 'metrics', '-'], { in: Readable.from([Buffer.from(`${line}\n`)]) })
    expect(piped.out).toContain('sealift_gateway_cache_total{path="catalogue",cache="HIT"} 1\n')
    const written = await runCli(['gateway', 'metrics', '-', '--out', out], { in: Readable.from([Buffer.from(`${line}\n`)]) })
    expect([written.exitCode, written.out, await readFile(out, 'utf8')]).toEqual([EXIT.ok, '', piped.out])
  })

  test('a log that is not there ends with 2', async () => {
    const result = await runCli(['gateway', 'metrics', '/nonexistent/access.log'])
    expect(result).toMatchObject({ exitCode: EXIT.usage, out: '' })
    expect(result.err).toContain('there is no such file')
  })
})
