import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { EXIT_HELP } from '../../src/cli/exit-codes.ts'
import { openAuthority } from '../../src/node/authority/authority.ts'
import { GITHUB_ISSUER } from '../../src/node/authority/workflow.ts'
import { authoritySigner, type PublishSigner } from '../../src/node/publish/publish-signer.ts'
import { contentOfBytes } from '../../src/node/signing/content.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { runCli } from '../cli/run-cli.ts'
import { bytesOf, never } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { blocksOf, readPage, rowsOf } from './page.ts'
import { expectOptions, linesOf, type Line } from './shell.ts'

// A starved machine takes seconds to load the authority; no outcome here depends on time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const PAGE = readPage('publishing.md')
const BLOCKS = blocksOf(PAGE)
const IDENTITY = 'https://github.com/acme/agent/.github/workflows/release.yml@refs/heads/main'
const FILE = 'agent-1.2.3-linux-amd64.tar.gz'

const home = process.cwd()
afterEach(() => process.chdir(home))

/** A folder as the page takes it for granted: release files, the portal's own files, a Sigstore instance that signs as the workflow. */
async function enterFolder(): Promise<PublishSigner> {
  const dir = await temporaryFolder()
  const authority = await openAuthority(join(dir, 'sigstore'), { clock: systemClock })
  const settings = BLOCKS.find(({ label }) => label === 'releases/sealift.publish.json')?.text ?? ''
  const files: Readonly<Record<string, string | Uint8Array>> = {
    [`releases/${FILE}`]: bytesOf(100_000),
    'releases/bin/agent-tool': 'a tool',
    'releases/sealift.publish.json': settings,
    [`altered/${FILE}`]: 'altered',
    [`changed/${FILE}`]: 'changed',
    'public/index.html': 'page',
    'public/assets/app.js': 'app',
    'trusted_root.json': await readFile(join(dir, 'sigstore', 'trusted_root.json')),
  }
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), content)
  }
  process.chdir(dir)
  return authoritySigner(authority, { claims: { identity: IDENTITY, issuer: GITHUB_ISSUER }, clock: systemClock })
}

async function run({ words, exitCode }: Line, signer: PublishSigner): Promise<void> {
  const [program, ...args] = words
  if (program === 'cosign') {
    const [command, flag, bundle = '', file = ''] = args
    expect([command, flag]).toEqual(['sign-blob', '--bundle'])
    await writeFile(bundle, await signer.signContent(contentOfBytes(await readFile(file)), never))
    return
  }
  expect(program).toBe('sealift')
  const result = await runCli(args)
  expect(result.exitCode, `${words.join(' ')}\n${result.out}${result.err}`).toBe(exitCode)
}

describe('docs/publishing.md', () => {
  test('its commands do what it says, in its order', async () => {
    const first = await enterFolder()
    const start = process.cwd()
    for (const { language, label, text } of BLOCKS.filter((block) => block.language === 'sh')) {
      if (label === 'help') continue
      expect(['run', 'run fresh'], `${language} ${label}`).toContain(label)
      process.chdir(start)
      const signer = label === 'run fresh' ? await enterFolder() : first
      for (const line of linesOf(text)) await run(line, signer)
    }
  })

  test('what it does not run has the options that it names', async () => {
    for (const { text } of BLOCKS.filter((block) => block.language === 'sh' && block.label === 'help')) {
      for (const line of linesOf(text)) await expectOptions(line)
    }
  })

  test('every option that its text names exists', async () => {
    const commands = ['publish', 'push', 'sync', 'promote', 'init', 'verify', 'token', 'signaling', 'keygen', 'export', 'lint']
    const help = await Promise.all(commands.map((name) => runCli([name, '--help'])))
    const all = help.map(({ out }) => out).join('\n')
    const text = PAGE.replaceAll(/^```.*?^```$/gms, '').replaceAll(/`(?:cosign|gh) [^`]*`/g, '')
    const named = [...text.matchAll(/--[a-z][a-z-]+/g)].map(([option]) => option)
    expect(named.length).toBeGreaterThan(5)
    for (const option of named.filter((option) => option !== '--help')) expect(all).toMatch(new RegExp(`${option}\\b`))
  })

  test('no command stands outside of what is tested', () => {
    const loose = BLOCKS.filter(({ language, text }) => language !== 'sh' && /^(?:npx )?(?:sealift|cosign) /m.test(text))
    expect(loose).toEqual([])
    expect(PAGE.replaceAll(/^```.*?^```$/gms, '')).not.toMatch(/^ {4}\S/m)
  })

  test('its exit codes are those of the help', () => {
    const listed = rowsOf(PAGE).filter(([code = '']) => /^\d+$/.test(code))
    const told = [...EXIT_HELP.matchAll(/^ {2}(\d+) +(.+)$/gm)].map(([, code = '', meaning = '']) => [code, meaning])
    expect(listed).toEqual(told)
  })
})
