import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { catalogueOf } from '../node/publish-fixture.ts'
import { makeSsh, startMirror } from '../node/push/mirror-fixture.ts'
import { newSigningKey, trustIn, updateFile, updatesBy } from '../trust/trust-updates.ts'
import { readSigningKey } from '../../src/node/signing/signing-key.ts'
import { writeTrust } from '../../src/core/manifest/trust-field.ts'
import { published } from './published.ts'
import { runCli } from './run-cli.ts'

describe('push', () => {
  test('says of each mirror what became of it', async () => {
    const { at, site, trust } = await published()
    const server = await startMirror()
    const env = { SEALIFT_PUSH_TOKEN: 'secret' }
    const args = ['push', site, '--to', at('mirror'), '--to', server.url, ...trust]
    const result = await runCli(args, { env })
    expect(result).toMatchObject({ exitCode: EXIT.ok, err: '' })
    expect(result.out).toMatch(/^pushed {5}.*mirror: \d+ files sent/m)
    expect(result.out).toMatch(/named by 2 of 2 mirrors/)
    expect(server.requests.every(({ headers }) => headers.authorization === 'Bearer secret')).toBe(true)
    expect((await runCli([...args, '--json'], { env })).json()).toMatchObject({
      ok: true,
      isComplete: true,
      mirrors: [
        { state: 'current', copiedFiles: 0 },
        { state: 'current', copiedFiles: 0 },
      ],
    })
  })

  test('with too few mirrors moves nothing, and says what to do about each', async () => {
    const { at, site, trust } = await published()
    const server = await startMirror('/', ({ method }, response) => method === 'PUT' && response.writeHead(403).end() === response)
    const args = ['push', site, '--to', at('mirror'), '--to', server.url, ...trust]
    const result = await runCli(args)
    expect(result.exitCode).toBe(EXIT.unavailable)
    expect(result.out).toMatch(/^held back {2}.*mirror/m)
    expect(result.out).toMatch(/^FAILED {5}.*healthz: it answers 403\. Check the token/m)
    expect(result.err).toMatch(/no catalogue was moved\n.*run `sealift push` again/)
    const json = (await runCli([...args, '--json'])).json()
    expect(json).toMatchObject({
      ok: false,
      exitCode: EXIT.unavailable,
      mirrors: [{ trouble: null }, { trouble: { failure: { status: 403 }, advice: expect.stringContaining('token') } }],
    })
    await expect(readFile(at('mirror/catalogue.json'))).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await runCli([...args, '--quorum', '1'])).toMatchObject({ exitCode: EXIT.ok })
  })

  test('repeats what ssh said, and nothing that a terminal would obey', async () => {
    const { site, trust } = await published()
    const ssh = await makeSsh(`printf 'Host key \\033[2Jverification failed.\\r\\n' >&2; exit 255`)
    vi.stubEnv('PATH', `${dirname(ssh.program)}${delimiter}${process.env['PATH']}`)
    onTestFinished(() => void vi.unstubAllEnvs())
    const result = await runCli(['push', site, '--to', 'ssh://mirror.example/srv', '--attempts', '1', ...trust])
    expect(result).toMatchObject({ exitCode: EXIT.unavailable, out: expect.stringMatching(/\(Host key .*verification failed\.\)/) })
    expect(result.out).not.toMatch(/[^\P{Cc}\n]/u)
  })

  test('in front of a newer catalogue ends as a conflict', async () => {
    const { at, site, trust, publish } = await published()
    const file = await readFile(join(site, 'catalogue.json'))
    await writeFile(at('dist/tool-1.0.tgz'), 'tool')
    await publish()
    await runCli(['push', site, '--to', at('mirror'), ...trust])
    await writeFile(join(site, 'catalogue.json'), file)
    const result = await runCli(['push', site, '--to', at('mirror'), ...trust])
    expect(result).toMatchObject({ exitCode: EXIT.conflict })
    expect(result.out).toMatch(/newer/)
  })

  test.each([
    ['whom to trust is not said', [], []],
    ['a mirror is plain http elsewhere', ['--to', 'http://mirror.test'], ['--public-key']],
    ['more mirrors are asked for than there are', ['--quorum', '2'], ['--public-key']],
    ['nothing shall ever be tried', ['--attempts', '0'], ['--public-key']],
  ])('does nothing where %s', async (_, more, trusted) => {
    const { at, site, trust } = await published()
    const result = await runCli(['push', site, '--to', at('mirror'), ...more, ...(trusted.length === 0 ? [] : trust)])
    expect(result).toMatchObject({ exitCode: EXIT.usage, out: '' })
    await expect(readFile(at('mirror/healthz'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('shows a person how far it is, and takes that away in the end', async () => {
    const { at, site, trust } = await published()
    const shown: string[] = []
    await runCli(['push', site, '--to', at('mirror'), ...trust], { progress: (text) => void shown.push(text) })
    expect(shown[0]).toMatch(/^1 files checked, \d+ bytes sent, last to /)
    expect(shown.at(-1)).toBe('')
  })

  test('stopped by its user it says so', async () => {
    const { at, site, trust } = await published()
    const stop = new AbortController()
    const server = await startMirror('/', ({ method }) => method === 'PUT' && (stop.abort(new Error('interrupted')), true))
    const result = await runCli(['push', site, '--to', at('mirror'), '--to', server.url, ...trust], { signal: stop.signal })
    expect(result).toMatchObject({ exitCode: EXIT.interrupted, out: '' })
  })
})

describe('trust updates', () => {
  const updated = async () => {
    const { at, site, key } = await published()
    const signer = await readSigningKey(at('keys/signing-key.pem'))
    const trust = trustIn(signer, updatesBy([signer]))
    const config = at('sealift.json')
    await writeFile(config, JSON.stringify({ schema: 1, repository: 'acme', trust: writeTrust(trust) }))
    const update = (version: number, more: object = {}) =>
      updateFile({ version, trust: trustIn(signer, updatesBy([signer]), version), ...more }, [signer])
    await mkdir(join(site, 'trust'))
    const first = await update(1)
    await writeFile(join(site, 'trust/1.json'), first)
    // Well formed, and signed by nobody who may change trust.
    const stranger = newSigningKey()
    const second = await updateFile({ version: 2, trust: trustIn(stranger, updatesBy([stranger]), 2) }, [stranger])
    await writeFile(join(site, 'trust/2.json'), second)
    return {
      at,
      site,
      key,
      first,
      other: await update(1, { createdAtSeconds: 5 }),
      push: (...to: readonly string[]) => runCli(['push', site, '--config', config, '--to', ...to]),
    }
  }

  test('go along before the catalogue, as far as clients accept them', async () => {
    const { first, push } = await updated()
    const server = await startMirror()
    expect(await push(server.url)).toMatchObject({ exitCode: EXIT.ok })
    expect(server.files.get('trust/1.json')).toEqual(Buffer.from(first))
    expect(server.puts().slice(-2)).toEqual(['trust/1.json', 'catalogue.json'])
    expect(server.files.has('trust/2.json')).toBe(false)
  })

  test('go nowhere before enough mirrors hold what comes with them: the catalogue there may be signed by whom they remove', async () => {
    const { at, site, push, first } = await updated()
    await rm(join(site, 'trust/1.json'))
    const server = await startMirror()
    const down = await startMirror('/', (_, response) => response.writeHead(403).end() === response)
    await push(server.url)
    await writeFile(join(site, 'trust/1.json'), first)
    expect(await push(server.url, '--to', down.url)).toMatchObject({ exitCode: EXIT.unavailable })
    expect(server.files.has('trust/1.json')).toBe(false)
    // It names the catalogue already, and gets them all the same.
    expect(await push(server.url, '--to', at('mirror'))).toMatchObject({ exitCode: EXIT.ok, out: expect.stringMatching(/^current/m) })
    expect([server.files.get('trust/1.json'), await readFile(at('mirror/trust/1.json'))]).toEqual([Buffer.from(first), Buffer.from(first)])
  })

  test('of another chain at one mirror keep all of them from moving', async () => {
    const { at, other, push } = await updated()
    const server = await startMirror()
    server.files.set('trust/1.json', Buffer.from(other))
    expect(await push(server.url, '--to', at('mirror'))).toMatchObject({ exitCode: EXIT.conflict })
    await expect(readFile(at('mirror/catalogue.json'))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(readFile(at('mirror/trust/1.json'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('are put back where one is damaged, and never cover up another chain', async () => {
    const { first, other, push } = await updated()
    const server = await startMirror()
    server.files.set('trust/1.json', Buffer.from(first).subarray(0, -5))
    expect(await push(server.url)).toMatchObject({ exitCode: EXIT.ok })
    expect(server.files.get('trust/1.json')).toEqual(Buffer.from(first))
    server.files.set('trust/1.json', Buffer.from(other))
    expect(await push(server.url)).toMatchObject({ exitCode: EXIT.conflict, out: expect.stringContaining('another update of this number') })
    expect(server.files.get('trust/1.json')).toEqual(Buffer.from(other))
  })
})

describe('sync', () => {
  test('fills a lost mirror from one that is left, and finds what is altered when it looks at every byte', async () => {
    const { at, site, trust } = await published()
    const server = await startMirror()
    await runCli(['push', site, '--to', server.url, ...trust])
    const [entry] = (await catalogueOf(site)).artifacts
    await rm(site, { recursive: true })
    const args = ['sync', server.url, at('mirror'), ...trust, '--json']
    expect(await runCli(args)).toMatchObject({ exitCode: EXIT.ok })
    const blob = at('mirror/by-hash/sha256', entry?.artifact.sha256 ?? '')
    await writeFile(blob, 'AGENT')
    expect((await runCli(args)).json()).toMatchObject({ mirrors: [{ copiedFiles: 0 }] })
    expect((await runCli([...args, '--deep'])).json()).toMatchObject({ mirrors: [{ copiedFiles: 1 }] })
    expect(await readFile(blob, 'utf8')).toBe('agent')
  })

  test('the token for the mirror that is filled is not shown to the one that fills it', async () => {
    const { site, trust } = await published()
    const [from, to] = [await startMirror(), await startMirror()]
    await runCli(['push', site, '--to', from.url, ...trust])
    from.requests.length = 0
    expect(await runCli(['sync', from.url, to.url, ...trust], { env: { SEALIFT_PUSH_TOKEN: 'secret' } })).toMatchObject({
      exitCode: EXIT.ok,
    })
    const shown = ({ requests }: typeof from) => new Set(requests.map(({ headers }) => headers.authorization))
    expect([shown(from), shown(to)]).toEqual([new Set([undefined]), new Set(['Bearer secret'])])
  })

  test('a token that could be meant for either side goes to neither', async () => {
    const { trust } = await published()
    const [from, to] = [await startMirror(), await startMirror()]
    const result = await runCli(['sync', from.url, to.url, ...trust], { env: { SEALIFT_PUSH_TOKEN_127_0_0_1: 'secret' } })
    expect(result).toMatchObject({ exitCode: EXIT.usage, out: '', err: expect.stringContaining('SEALIFT_PUSH_TOKEN_127_0_0_1') })
    expect([...from.requests, ...to.requests]).toEqual([])
  })

  test('takes nothing from a place that is not signed by whom it trusts', async () => {
    const { at, site } = await published()
    const stranger = await published()
    const result = await runCli(['sync', site, at('mirror'), ...stranger.trust])
    expect(result).toMatchObject({ exitCode: EXIT.refused, out: '' })
  })
})
