import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { DeliveryError, HANDLING, type Failure } from '../../src/core/errors.ts'
import { toSourceId } from '../../src/core/model/ids.ts'
import { EXIT, EXIT_HELP, exitCodeOf } from '../../src/cli/exit-codes.ts'
import { contentOfBytes } from '../../src/node/signing/content.ts'
import { readSigningKey } from '../../src/node/signing/signing-key.ts'
import { bytesOf, catalogueOf, makeFolder, never, snapshotOf } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { runCli } from './run-cli.ts'

// A starved machine takes seconds to load the authority; no outcome here depends on time.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const FILE = 'edge-agent-1.2.3-linux-amd64.tar.gz'
const IDENTITY = 'https://github.com/acme/agent/.github/workflows/release.yml@refs/tags/v1.2.3'
const ISSUER = 'https://token.actions.githubusercontent.com'

describe('help', () => {
  test.each([
    [[]],
    [['publish']],
    [['promote']],
    [['push']],
    [['sync']],
    [['verify']],
    [['init']],
    [['export']],
    [['lint']],
    [['report']],
    [['drill']],
    [['keygen']],
    [['trust']],
    [['trust', 'prepare']],
    [['trust', 'sign']],
    [['trust', 'attach']],
    [['token']],
    [['signaling']],
    [['audit', 'verify']],
    [['check']],
    [['probe']],
    [['gateway', 'config']],
    [['gateway', 'metrics']],
  ])('of %j explains itself', async (command) => {
    const result = await runCli([...command, '--help'])
    expect(result).toMatchObject({ exitCode: EXIT.ok, err: '' })
    expect(result.out).toMatch(/^Usage: sealift/)
    expect(result.out).toMatch(command.length === 0 ? /Exit codes:/ : /Example/)
  })

  test('names every exit code', () => {
    for (const code of Object.values(EXIT)) expect(EXIT_HELP).toMatch(new RegExp(`^  ${code} `, 'm'))
  })

  test('tells the version of the package', async () => {
    const description: unknown = JSON.parse(await readFile('package.json', 'utf8'))
    const { out } = await runCli(['--version'])
    expect(description).toMatchObject({ version: out.trim() })
  })
})

describe('a wrong command line ends with 2 and points to the help', () => {
  test.each([
    ['an unknown command', ['publihs']],
    ['an unknown option', ['verify', 'x', '--bundel', 'y']],
    ['a missing argument', ['verify']],
    ['a missing option', ['publish', '.']],
    ['a duration without sense', ['publish', '.', '--out', 'x', '--expires-in', 'soon']],
    ['a size without sense', ['publish', '.', '--out', 'x', '--piece-length', 'big']],
    ['an origin that is no URL', ['publish', '.', '--out', 'x', '--origin', 'cdn']],
    ['two origins of one name', ['publish', '.', '--out', 'x', '--origin', 'a=https://a.test/', '--origin', 'a=https://b.test/']],
    ['a version to yank without its name', ['publish', '.', '--out', 'x', '--yank', '1.2.3']],
    ['a share of clients above all', ['promote', '.', '--rollout', 'agent@1.2.3=101']],
    ['a tier that is none', ['promote', '.', '--tiers', 'cdn,moon']],
    ['an origin named twice', ['promote', '.', '--first', 'eu,eu']],
    ['no mirror', ['push', '.']],
    ['nothing to fill', ['sync', '.']],
    ['a role that is none', ['token', 'dir', '--site', 'https://a.test', '--role', 'king']],
    ['a site that is no origin', ['token', 'dir', '--site', 'https://a.test/path']],
    ['a ticket for a year', ['token', 'dir', '--site', 'https://a.test', '--lifetime', '365d']],
  ])('%s', async (_, args) => {
    const result = await runCli(args)
    expect(result).toMatchObject({ exitCode: EXIT.usage, out: '' })
    expect(result.err).toMatch(/error:/)
    expect(result.err).toMatch(/--help/)
  })
})

describe('publish and verify', () => {
  let site = ''
  let dir = ''
  let trust: readonly string[] = []

  // Made once: the tests below only read it.
  beforeAll(async () => {
    const base = await mkdtemp(join(tmpdir(), 'sealift-cli-'))
    dir = join(base, 'dist')
    site = join(base, 'site')
    await mkdir(dir)
    await writeFile(join(dir, FILE), bytesOf(100_000))
    const authority = join(base, 'authority')
    const args = [
      'publish',
      dir,
      '--out',
      site,
      '--repository',
      'acme',
      '--authority',
      authority,
      '--identity',
      IDENTITY,
      '--issuer',
      ISSUER,
    ]
    const result = await runCli([...args, '--origin', 'eu=https://cdn.acme.test', '--gateway', 'http://gateway.lan', '--json'])
    if (result.exitCode !== 0) throw new Error(result.out + result.err)
    trust = ['--identity', IDENTITY, '--issuer', ISSUER, '--trusted-root', join(authority, 'trusted_root.json')]
    return () => rm(base, { recursive: true, force: true })
  })

  test('lists the places that were named', async () => {
    expect((await catalogueOf(site)).origins).toMatchObject([
      { id: 'eu', tier: 'cdn', url: 'https://cdn.acme.test/' },
      { id: 'gateway.lan', tier: 'gateway', url: 'http://gateway.lan/' },
    ])
  })

  test('says who signed, where it was built and which catalogue lists it', async () => {
    const result = await runCli(['verify', join(dir, FILE), '--site', site, ...trust])
    expect(result).toMatchObject({ exitCode: EXIT.ok, err: '' })
    for (const words of [
      'verified',
      `signed by  ${IDENTITY}`,
      'built from https://github.com/acme/agent at refs/tags/v1.2.3',
      'acme version',
    ]) {
      expect(result.out).toContain(words)
    }
  })

  test('says the same as one JSON object', async () => {
    const result = await runCli(['verify', join(dir, FILE), '--site', site, ...trust, '--json'])
    expect(result.json()).toMatchObject({
      ok: true,
      artifact: { name: 'edge-agent', version: '1.2.3', platform: 'linux/amd64' },
      catalogue: { repository: 'acme', freshness: 'fresh' },
      verdicts: [{ verdict: { form: 'message' } }, { verdict: { form: 'attestation' } }],
    })
  })

  test('trusts what sealift.json says', async () => {
    const [, identity, , issuer, , root = ''] = trust
    const trustedRoot: unknown = JSON.parse(await readFile(root, 'utf8'))
    const config = join(await temporaryFolder(), 'sealift.json')
    await writeFile(
      config,
      JSON.stringify({ schema: 1, repository: 'acme', trust: { catalogueSigners: [{ identity, issuer }], trustedRoot } }),
    )
    const args = ['verify', join(dir, FILE), '--site', site, '--config']
    expect(await runCli([...args, config])).toMatchObject({ exitCode: EXIT.ok, err: '' })
    await writeFile(
      config,
      JSON.stringify({ schema: 1, repository: 'other', trust: { catalogueSigners: [{ identity, issuer }], trustedRoot } }),
    )
    expect(await runCli([...args, config])).toMatchObject({ exitCode: EXIT.refused })
  })

  test('an altered file ends with 3, with the code and what to do', async () => {
    const file = join(await makeFolder({ [FILE]: 'altered' }), FILE)
    const result = await runCli(['verify', file, '--site', site, ...trust])
    expect(result).toMatchObject({ exitCode: EXIT.refused, out: '' })
    expect(result.err).toMatch(/^sealift: artifact-digest: .*\n {2}Do not install/)
    const json = await runCli(['verify', file, '--site', site, ...trust, '--json'])
    expect(json).toMatchObject({ exitCode: EXIT.refused, err: '' })
    expect(json.json()).toMatchObject({
      ok: false,
      exitCode: 3,
      failure: { code: 'artifact-digest' },
      nextStep: expect.stringContaining('Do not install'),
    })
  })

  test('another identity ends with 3', async () => {
    const args = ['--identity', IDENTITY.replace('acme', 'acmee'), ...trust.slice(2)]
    expect(await runCli(['verify', join(dir, FILE), '--site', site, ...args])).toMatchObject({ exitCode: EXIT.refused })
  })

  test('a file that nobody published ends with 4', async () => {
    const file = join(await makeFolder({ 'tool-1.0.tgz': 'tool' }), 'tool-1.0.tgz')
    expect(await runCli(['verify', file, '--site', site, ...trust])).toMatchObject({ exitCode: EXIT.unknown })
  })

  test('a server that is not there ends with 5', async () => {
    const result = await runCli(['verify', join(dir, FILE), '--site', 'http://127.0.0.1:1/', ...trust])
    expect(result).toMatchObject({ exitCode: EXIT.unavailable })
  })

  test.each([
    ['without anybody to trust', [], 'policy-missing'],
    ['with half an identity', ['--identity', IDENTITY], 'policy-missing'],
    ['with a key that is not there', ['--public-key', '/nonexistent'], 'input-invalid'],
  ])('verify %s ends with 2', async (_, args, code) => {
    const result = await runCli(['verify', join(dir, FILE), '--site', site, ...args])
    expect(result).toMatchObject({ exitCode: EXIT.usage, out: '' })
    expect(result.err).toContain(code)
  })

  test('other bytes under a published version end with 7, and the site stays as it was', async () => {
    const before = await snapshotOf(site)
    const args = [
      '--out',
      site,
      '--repository',
      'acme',
      '--authority',
      join(site, '..', 'authority'),
      '--identity',
      IDENTITY,
      '--issuer',
      ISSUER,
    ]
    const result = await runCli(['publish', await makeFolder({ [FILE]: 'other' }), ...args])
    expect(result).toMatchObject({ exitCode: EXIT.conflict, out: '' })
    expect(await snapshotOf(site)).toEqual(before)
  })
})

describe("with a key of one's own", () => {
  test('keygen, publish, verify work together', async () => {
    const keys = await temporaryFolder()
    const made = await runCli(['keygen', keys, '--json'])
    expect(made.json()).toMatchObject({ ok: true, privateKeyPath: join(keys, 'signing-key.pem') })
    expect(await runCli(['keygen', keys])).toMatchObject({ exitCode: EXIT.usage })
    const [dir, site] = [await makeFolder({ [FILE]: 'agent' }), join(await temporaryFolder(), 'site')]
    const args = ['publish', dir, '--out', site, '--repository', 'acme', '--key', join(keys, 'signing-key.pem')]
    expect(await runCli(args)).toMatchObject({ exitCode: EXIT.ok, out: expect.stringContaining('published  edge-agent 1.2.3 linux/amd64') })
    expect(await runCli(args)).toMatchObject({ exitCode: EXIT.ok, out: expect.stringContaining('unchanged  edge-agent') })
    const result = await runCli(['verify', join(dir, FILE), '--site', site, '--public-key', join(keys, 'signing-key.pub')])
    expect(result).toMatchObject({ exitCode: EXIT.ok, out: expect.stringContaining('signed by  the trusted key') })
  })

  test('a version is yanked by its name, and one that is not listed ends with 2 and names those that are', async () => {
    const keys = await temporaryFolder()
    await runCli(['keygen', keys])
    const [dir, site] = [await makeFolder({ [FILE]: 'agent' }), join(await temporaryFolder(), 'site')]
    const args = ['publish', dir, '--out', site, '--repository', 'acme', '--key', join(keys, 'signing-key.pem')]
    await runCli(args)
    const before = await snapshotOf(site)
    const wrong = await runCli([...args, '--yank', 'edge-agent@1.2.3', '--yank', 'edge-agent@1.2.4'])
    expect(wrong).toMatchObject({ exitCode: EXIT.usage, out: '', err: expect.stringContaining('edge-agent@1.2.4') })
    expect(wrong.err).toContain('yank 1.2.3')
    expect(await snapshotOf(site)).toEqual(before)
    const right = await runCli([...args, '--yank', 'edge-agent@1.2.3'])
    expect(right).toMatchObject({ exitCode: EXIT.ok, out: expect.stringContaining('yanked     edge-agent 1.2.3') })
    expect((await catalogueOf(site)).artifacts).toMatchObject([{ version: '1.2.3', yanked: true }])
    const again = await runCli([...args, '--yank', 'edge-agent@1.2.3', '--json'])
    expect(again.json()).toMatchObject({ catalogue: { isNew: false }, yanked: [{ name: 'edge-agent', version: '1.2.3' }] })
  })

  test('the catalogue can be signed elsewhere, in two steps', async () => {
    const keys = await temporaryFolder()
    await runCli(['keygen', keys])
    const key = join(keys, 'signing-key.pem')
    const trust = ['--public-key', join(keys, 'signing-key.pub')]
    const signer = await readSigningKey(key)
    const bundle = await signer.signContent(contentOfBytes(Buffer.from('agent')), never)
    const [dir, work] = [await makeFolder({ [FILE]: 'agent', [`${FILE}.sigstore.json`]: bundle }), await temporaryFolder()]
    const [site, payload, signature] = [join(work, 'site'), join(work, 'payload'), join(work, 'bundle')]
    expect(await runCli(['publish', dir, '--out', site, '--repository', 'acme', ...trust, '--prepare', payload])).toMatchObject({
      exitCode: EXIT.ok,
    })
    await writeFile(signature, await signer.signContent(contentOfBytes(await readFile(payload)), never))
    const attached = await runCli(['publish', '--out', site, ...trust, '--payload', payload, '--attach', signature])
    expect(attached).toMatchObject({ exitCode: EXIT.ok, out: expect.stringContaining('acme version') })
    expect(await runCli(['verify', join(dir, FILE), '--site', site, ...trust])).toMatchObject({ exitCode: EXIT.ok })
  })
})

test.each([
  ['without a repository', ['--origin', 'https://cdn.acme.test/'], 'input-invalid'],
  ['without anybody to trust', ['--repository', 'acme'], 'policy-missing'],
  ['with an identity but no root', ['--repository', 'acme', '--identity', IDENTITY, '--issuer', ISSUER], 'policy-missing'],
])('init %s ends with 2 and writes nothing', async (_, args, code) => {
  const publicDir = await temporaryFolder()
  const result = await runCli(['init', publicDir, ...args])
  expect(result).toMatchObject({ exitCode: EXIT.usage, out: '' })
  expect(result.err).toContain(code)
  expect(await snapshotOf(publicDir)).toEqual(new Map())
})

test('init lists the portal for its own outage, and a second run renews the list after a deployment', async () => {
  const publicDir = await makeFolder({ 'index.html': 'page', 'assets/app.js': 'app' })
  const args = ['init', publicDir, '--shell', 'index.html', '--shell', 'assets/**']
  const first = await runCli(args)
  expect(first).toMatchObject({ exitCode: EXIT.ok, err: '', out: expect.stringMatching(/^shell +\d+ files/m) })
  await writeFile(join(publicDir, 'assets/app.js'), 'app, second edition')
  const second = await runCli([...args, '--json'])
  expect(second.json()).toMatchObject({
    ok: true,
    written: ['sw.js'],
    shell: expect.arrayContaining([{ url: 'index.html', revision: expect.any(String) }]),
  })
  const script = await readFile(join(publicDir, 'sw.js'), 'utf8')
  expect(script).toMatch(/^\{self\.sealiftShell=\[\{"url":"assets\/app\.js"/)
  expect(script).toMatch(/self\.sealiftComplete=(?:true|!0);\n(?:\/\/.*)?\n\}$/)
  expect(await runCli(['init', publicDir, '--shell', '../**'])).toMatchObject({ exitCode: EXIT.usage, out: '' })
})

test.each([
  ['nobody is named', [], ['https://sealift.invalid/local-test-build', 'https://sealift.invalid/local-test-authority'], /github/],
  ['a workflow is named', ['--identity', IDENTITY, '--issuer', ISSUER], [IDENTITY, ISSUER], /gitCommit|actions\/runs|github-hosted/],
])(
  'with an authority of this machine, when %s, no commit and no run are made up',
  async (_, named, [identity = '', issuer = ''], madeUp) => {
    const [dir, work] = [await makeFolder({ [FILE]: 'agent' }), await temporaryFolder()]
    const authority = join(work, 'authority')
    const published = await runCli([
      'publish',
      dir,
      '--out',
      join(work, 'site'),
      '--repository',
      'acme',
      '--authority',
      authority,
      ...named,
    ])
    expect(published).toMatchObject({ exitCode: EXIT.ok, err: '' })
    const trust = ['--identity', identity, '--issuer', issuer, '--trusted-root', join(authority, 'trusted_root.json')]
    expect(await runCli(['verify', join(dir, FILE), '--site', join(work, 'site'), ...trust])).toMatchObject({ exitCode: EXIT.ok })
    const said = [...(await snapshotOf(join(work, 'site'))).values()].flatMap((text) => [text, ...decodedParts(text)]).join('\n')
    expect(said).toContain('"buildType":"https://sealift.invalid/local-test-build"')
    expect(said).toContain(identity)
    expect(said).not.toMatch(madeUp)
  },
)

test('--critical stands in the manifest, and its help says what pages make of it', async () => {
  const [dir, work] = [await makeFolder({ [FILE]: 'agent' }), await temporaryFolder()]
  await runCli(['keygen', work])
  const key = join(work, 'signing-key.pem')
  await runCli(['publish', dir, '--out', join(work, 'site'), '--repository', 'acme', '--key', key, '--critical'])
  expect([...(await snapshotOf(work)).values()].join()).toContain('"priority":"critical"')
  expect((await runCli(['publish', '--help'])).out.replaceAll(/\s+/g, ' ')).toContain(
    'pages fetch them before others, those of up to 1 MiB from all sources at once',
  )
})

/** What stands base64-encoded in a document, down to the payload of an envelope and a certificate. */
function decodedParts(text: string): readonly string[] {
  const parts = text.match(/[A-Za-z0-9+/]{60,}={0,2}/g) ?? []
  return parts.map((part) => Buffer.from(part, 'base64').toString('latin1')).flatMap((part) => [part, ...decodedParts(part)])
}

test('an interrupted publish ends with 130, and no catalogue and nothing half-written is there', async () => {
  const stop = new AbortController()
  const [dir, work] = [await makeFolder({ [FILE]: bytesOf(3_000_000) }), await temporaryFolder()]
  const running = runCli(['publish', dir, '--out', join(work, 'site'), '--repository', 'acme', '--authority', join(work, 'a')], {
    signal: stop.signal,
  })
  stop.abort(new Error('interrupted'))
  expect(await running).toMatchObject({ exitCode: EXIT.interrupted, out: '', err: 'sealift: interrupted\n' })
  await expect(stat(join(work, 'site', 'catalogue.json'))).rejects.toMatchObject({ code: 'ENOENT' })
  expect([...(await snapshotOf(work)).keys()].filter((path) => path.includes('.part'))).toEqual([])
})

test('signaling serves until it is interrupted, with the keys that tokens are minted from', async () => {
  const dir = await temporaryFolder()
  const minted = await runCli(['token', dir, '--site', 'https://portal.acme.test', '--json'])
  expect(minted.json()).toMatchObject({ ok: true, keysFile: join(dir, 'signaling-keys') })
  const stop = new AbortController()
  let health: Promise<number> | undefined
  const out = (text: string): void => {
    const url = /ws:(\/\/\S+)/.exec(text)?.[1]
    if (url !== undefined) health = fetch(`http:${url}healthz`).then(({ status }) => (stop.abort(), status))
  }
  const args = [
    'signaling',
    '--site',
    'https://portal.acme.test',
    '--keys-file',
    join(dir, 'signaling-keys'),
    '--port',
    '0',
    '--host',
    '127.0.0.1',
  ]
  expect(await runCli(args, { signal: stop.signal, out })).toMatchObject({ exitCode: EXIT.ok })
  expect(await health).toBe(200)
})

test('signaling without an origin ends with 2', async () => {
  const result = await runCli(['signaling'])
  expect(result).toMatchObject({ exitCode: EXIT.usage })
  expect(result.err).toContain('ORIGINS')
})

test('a catalogue that every place gave and that was refused everywhere is a refusal, not an outage', () => {
  const unreachable: Failure = { code: 'source-unreachable', source: toSourceId('a'), phase: 'connect', elapsedMs: 1 }
  const forged: Failure = { code: 'signature-invalid', detail: '' }
  const codeOf = (...reasons: readonly Failure[]) => exitCodeOf(new DeliveryError({ code: 'catalogue-unavailable', reasons }))
  expect(codeOf(unreachable)).toBe(EXIT.unavailable)
  expect(codeOf(unreachable, forged)).toBe(EXIT.refused)
})

const ENDS: Readonly<Record<number, readonly Failure['code'][]>> = {
  [EXIT.usage]: ['input-invalid', 'config-invalid', 'policy-missing', 'ticket-invalid'],
  [EXIT.unknown]: ['artifact-unknown', 'artifact-ambiguous'],
  [EXIT.unavailable]: [
    'source-unreachable',
    'source-status',
    'source-protocol',
    'source-length',
    'source-timeout',
    'source-missing',
    'source-refused',
    'blob-unavailable',
    'catalogue-unavailable',
    'config-unavailable',
    'sources-exhausted',
  ],
  [EXIT.missing]: ['tool-missing'],
  [EXIT.conflict]: ['publish-conflict'],
}
const ONLY_IN_BROWSERS =
  /^(?:peer-.*|pairing-.*|signal-.*|store-.*|gateway-permission|quota-exceeded|insecure-context|engine-lost|still-fetching|no-page|version-skew)$/

test('every code of a failure has its exit code, and what refuses the bytes ends with 3', () => {
  for (const [code, { isRefusal }] of Object.entries(HANDLING)) {
    const [said] = Object.entries(ENDS).find(([, codes]) => codes.some((one) => one === code)) ?? []
    const expected = said === undefined ? (ONLY_IN_BROWSERS.test(code) ? EXIT.fault : EXIT.refused) : Number(said)
    const found = exitCodeOf(failing(code))
    expect(`${code} ${found}`).toBe(`${code} ${expected}`)
    if (isRefusal) expect(found).toBe(EXIT.refused)
  }
  expect(exitCodeOf(new TypeError('a bug'))).toBe(EXIT.fault)
})

/** A failure of that code; for an exit code no other fact counts. */
function failing(code: string): DeliveryError {
  const error = new DeliveryError({ code: 'insecure-context' })
  return Object.assign(error, { failure: { code, reasons: [] } })
}
