import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { HANDLING } from '../../src/core/errors.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { openAuthority } from '../../src/node/authority/authority.ts'
import { GITHUB_ISSUER } from '../../src/node/authority/workflow.ts'
import { authoritySigner, type PublishSigner } from '../../src/node/publish/publish-signer.ts'
import { contentOfBytes } from '../../src/node/signing/content.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { readPolicyFile } from '../../src/node/trust/policy-file.ts'
import { runCli } from '../cli/run-cli.ts'
import { bytesOf, never } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { blocksOf, readPage, rowsOf } from './page.ts'
import { linesOf, type Line } from './shell.ts'

// A starved machine takes seconds to load the authority; no outcome here depends on time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const PAGE = readPage('trust.md')
const BLOCKS = blocksOf(PAGE)
const IDENTITY = 'https://github.com/acme/agent/.github/workflows/release.yml@refs/tags/v1.2.3'
const FILE = 'dist/agent-1.2.3-linux-amd64.tar.gz'

const home = process.cwd()
afterEach(() => process.chdir(home))

interface Instance {
  readonly signer: PublishSigner
  readonly roots: readonly string[]
}

/** A release, and a Sigstore instance that knows its workflow. */
async function enterFolder(): Promise<Instance> {
  const dir = await temporaryFolder()
  const [authority, other] = await Promise.all(
    ['sigstore', 'other'].map(async (name) => await openAuthority(join(dir, name), { clock: systemClock })),
  )
  if (authority === undefined || other === undefined) throw new TypeError('expected two instances')
  for (const [path, bytes] of Object.entries({ [FILE]: bytesOf(70_000), [`altered/${basename(FILE)}`]: Buffer.from('altered') })) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), bytes)
  }
  process.chdir(dir)
  const run = { commit: 'c0ffee'.padEnd(40, '0'), invocationId: 'https://github.com/acme/agent/actions/runs/1/attempts/1' }
  return {
    signer: authoritySigner(authority, { claims: { identity: IDENTITY, issuer: GITHUB_ISSUER }, clock: systemClock, run }),
    roots: [other, authority].map(({ trustedRoot }) => JSON.stringify(trustedRoot)),
  }
}

/** What `gh` and `cosign` would write. */
async function play({ words }: Line, { signer, roots }: Instance): Promise<void> {
  const [program, first, second, third = '', fourth = ''] = words
  if (program === 'mv') return rename(first ?? '', join(second ?? '', first ?? ''))
  if (program === 'cosign') {
    expect([first, second]).toEqual(['sign-blob', '--bundle'])
    return writeFile(third, await signer.signContent(contentOfBytes(await readFile(fourth)), never))
  }
  expect([program, first]).toEqual(['gh', 'attestation'])
  if (second === 'trusted-root') return writeFile(words.at(-1) ?? '', `${roots.join('\n')}\n`)
  expect(second).toBe('download')
  const sha256 = sha256Of(await readFile(third))
  const attestation = Buffer.from((await signer.attestBuild({ name: basename(third), sha256 }, never)) ?? [])
  await writeFile(`sha256:${sha256}.jsonl`, `${attestation.toString()}\n`)
}

async function runPage(instance: Instance, onLine: (line: Line) => Promise<void> = async () => undefined): Promise<void> {
  for (const { label, text } of BLOCKS.filter(({ language }) => language === 'sh')) {
    expect(label).toBe('run')
    for (const written of linesOf(text)) {
      const line = await expand(written)
      await onLine(line)
      const [program, ...args] = line.words
      if (program !== 'sealift') {
        await play(line, instance)
        continue
      }
      const result = await runCli(args)
      expect(result.exitCode, `${line.words.join(' ')}\n${result.out}${result.err}`).toBe(line.exitCode)
    }
  }
}

/** The one file that a pattern means. */
async function expand(line: Line): Promise<Line> {
  const words = line.words.map(async (word) => {
    if (!word.includes('*')) return word
    const [before = '', after = ''] = basename(word).split('*')
    const found = (await readdir(dirname(word))).filter((name) => name.startsWith(before) && name.endsWith(after))
    expect(found, word).toHaveLength(1)
    return join(dirname(word), found[0] ?? '')
  })
  return { ...line, words: await Promise.all(words) }
}

/** Up to the policy that is drafted. */
async function fetchSigned(): Promise<string> {
  const instance = await enterFolder()
  for (const line of linesOf(BLOCKS.find(({ language }) => language === 'sh')?.text ?? '')) await play(await expand(line), instance)
  return join('dist', `sha256:${sha256Of(await readFile(FILE))}.jsonl`)
}

const draft = (bundle: string) => runCli(['policy', bundle, '--trusted-root', 'trusted_root.jsonl', '--out', 'policy.json', '--json'])

/** The page's policy for somebody else's repository. */
async function writeStranger({ words }: Line): Promise<void> {
  if (!words.includes('stranger.json')) return
  const own = await readFile('policy.json', 'utf8')
  await writeFile('stranger.json', own.replaceAll('acme/agent/.github', 'acme/agent2/.github'))
}

describe('docs/trust.md', () => {
  test('takes a release from what its workflow signed to a policy that passes, in its order', async () => {
    await runPage(await enterFolder(), writeStranger)
  })

  test('shows the policy that is drafted', async () => {
    await draft(await fetchSigned())
    const { trustedRoot, ...drafted } = JSON.parse(await readFile('policy.json', 'utf8'))
    expect(trustedRoot).toHaveLength(2)
    expect(drafted).toEqual(JSON.parse(BLOCKS.find(({ label }) => label === 'policy')?.text ?? ''))
  })

  test('a draft does not overwrite what somebody edited', async () => {
    const bundle = await fetchSigned()
    await writeFile('policy.json', 'edited')
    const result = await draft(bundle)
    expect(result.json()).toMatchObject({ ok: false, exitCode: 2, failure: { code: 'input-invalid', path: 'policy.json' } })
    expect(await readFile('policy.json', 'utf8')).toBe('edited')
  })

  test('a release whose downloaded attestations lie elsewhere is told that it has none', async () => {
    const found = await fetchSigned()
    await draft(found)
    await rename(found, found.replace(':', '-'))
    expect((await runCli(['verify', FILE, '--policy', 'policy.json'])).exitCode).toBe(0)
    await rm(found.replace(':', '-'))
    expect((await runCli(['verify', FILE, '--policy', 'policy.json', '--json'])).json()).toMatchObject({
      failure: { code: 'input-invalid', path: FILE },
    })
  })

  test.each([
    ['extensions', 'extension', 'catalogueSigners.0.extension'],
    ['builderId', 'builder', 'provenance.builder'],
    ['minSigners', 'minSigner', 'minSigner'],
  ])('a policy that misspells %s is refused, and says where', async (right, wrong, path) => {
    process.chdir(await temporaryFolder())
    const [policy] = BLOCKS.filter(({ label }) => label === 'policy')
    await writeFile('root.json', '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
    await writeFile('one.json', policy?.text.replace(`"${right}"`, `"${wrong}"`) ?? '')
    await expect(readPolicyFile('one.json', 'root.json')).rejects.toMatchObject({
      code: 'input-invalid',
      failure: { path: `one.json: ${path}` },
    })
  })

  test('its policies can be enforced', async () => {
    process.chdir(await temporaryFolder())
    await writeFile('root.json', '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
    const policies = BLOCKS.filter(({ label }) => label === 'policy')
    expect(policies).toHaveLength(2)
    for (const { text } of policies) {
      await writeFile('one.json', text)
      expect((await readPolicyFile('one.json', 'root.json')).artifactSigners.length).toBeGreaterThan(0)
    }
  })

  test('says of every refusal what it means and what to do', () => {
    const told = new Set(rowsOf(PAGE).flatMap(([code = '']) => [...code.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name)))
    const refusals = Object.entries(HANDLING).flatMap(([code, { isRefusal }]) => (isRefusal ? [code] : []))
    expect(refusals.filter((code) => !told.has(code))).toEqual([])
  })
})
