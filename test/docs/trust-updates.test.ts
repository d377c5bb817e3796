import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { parseEnvelope, TRUST_UPDATE } from '../../src/core/manifest/parse-envelope.ts'
import { parseSiteConfig } from '../../src/core/manifest/parse-site-config.ts'
import { writeTrust } from '../../src/core/manifest/trust-field.ts'
import { parseTrustUpdate } from '../../src/core/manifest/trust-update.ts'
import { contentOfBytes } from '../../src/node/signing/content.ts'
import { readSigningKey, type SigningKey } from '../../src/node/signing/signing-key.ts'
import { runCli } from '../cli/run-cli.ts'
import { bytesOf, never } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { newSigningKey, signerOf, trustIn, updatesBy } from '../trust/trust-updates.ts'
import { blocksOf, readPage, rowsOf } from './page.ts'
import { linesOf } from './shell.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const PAGE = readPage('trust-updates.md')
const BLOCKS = blocksOf(PAGE)
const utf8 = (text: string): Uint8Array => Buffer.from(text)

const home = process.cwd()
afterEach(() => process.chdir(home))

/** What the page takes for granted once the keys are made: the portal trusts `release-1`, and `trust.json` names `release-2` instead. */
async function writeFiles(): Promise<void> {
  const [alice, bob, first, second] = await Promise.all(
    ['alice', 'bob', 'release-1', 'release-2'].map((name) => readSigningKey(`${name}/signing-key.pem`)),
  )
  if (alice === undefined || bob === undefined || first === undefined || second === undefined) throw new TypeError('expected four keys')
  const updates = updatesBy([alice, bob, newSigningKey()], 2)
  const section = (key: SigningKey) => JSON.stringify(writeTrust(trustIn(key, updates)))
  await writeFile('sealift.json', JSON.stringify({ schema: 1, repository: 'acme', trust: JSON.parse(section(first)) as unknown }))
  await writeFile('trust.json', section(second))
}

/** As `cosign sign-blob --key NAME/cosign.key` would, with the key of that person. */
async function cosign([command, , keyPath = '', , bundle = '', file = '']: readonly string[]): Promise<void> {
  expect(command).toBe('sign-blob')
  const key = await readSigningKey(keyPath.replace('cosign.key', 'signing-key.pem'))
  await writeFile(bundle, await key.signContent(contentOfBytes(await readFile(file)), never))
}

async function runAll(text: string): Promise<void> {
  for (const { words, exitCode } of linesOf(text)) {
    const [program, ...args] = words
    if (program === 'cosign') {
      await cosign(args)
      continue
    }
    expect(program).toBe('sealift')
    const result = await runCli(args)
    expect(result.exitCode, `${words.join(' ')}\n${result.out}${result.err}`).toBe(exitCode)
  }
}

describe('docs/trust-updates.md', () => {
  test('its commands do what it says, in its order', async () => {
    process.chdir(await temporaryFolder())
    await mkdir('releases')
    await writeFile('releases/agent-1.2.3-linux-amd64.tar.gz', bytesOf(100_000))
    const [keygen, ...others] = BLOCKS.filter(({ language }) => language === 'sh')
    await runAll(keygen?.text ?? '')
    await writeFiles()
    for (const { label, text } of others) {
      expect(label).toBe('run')
      await runAll(text)
    }
    const last = parseTrustUpdate(parseEnvelope(await readFile('site/trust/1.json'), TRUST_UPDATE).payload)
    expect(last.trust.catalogueSigners).toEqual([signerOf(await readSigningKey('release-2/signing-key.pem'))])
  })

  test('its examples are what they say', () => {
    const text = (label: string): string => BLOCKS.find((block) => block.label === label)?.text ?? ''
    expect(parseEnvelope(utf8(text('envelope')), TRUST_UPDATE).bundles).toHaveLength(1)
    expect(parseTrustUpdate(utf8(text('update'))).version).toBe(3)
    const config = utf8(JSON.stringify({ schema: 1, repository: 'a', trust: JSON.parse(text('trust')) as unknown }))
    expect(parseSiteConfig(config, 'https://portal.example/').trust.updates).toMatchObject({ minSigners: 2 })
  })

  test('every member of the payload has a row, and every option that it names exists', async () => {
    const rows = rowsOf(PAGE).map(([name = '']) => name.replaceAll('`', ''))
    const example = BLOCKS.find((block) => block.label === 'update')?.text ?? ''
    expect(rows).toEqual(expect.arrayContaining(Object.keys(JSON.parse(example) as object)))
    const help = await Promise.all(['prepare', 'sign', 'attach'].map(async (name) => (await runCli(['trust', name, '--help'])).out))
    const all = [...help, (await runCli(['publish', '--help'])).out, (await runCli(['verify', '--help'])).out].join('\n')
    const named = [...PAGE.replaceAll(/`?cosign [^\n]*/g, '').matchAll(/--[a-z][a-z-]+/g)].map(([option]) => option)
    for (const option of named) expect(all).toMatch(new RegExp(`${option}\\b`))
  })
})
