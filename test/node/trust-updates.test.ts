import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { writeTrust } from '../../src/core/manifest/trust-field.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { generateSigningKey, readSigningKey, type SigningKey } from '../../src/node/signing/signing-key.ts'
import { readSiteIn } from '../../src/node/site/site-reader.ts'
import { newestTrust } from '../../src/node/trust-updates/newest-trust.ts'
import { runCli, type CliResult } from '../cli/run-cli.ts'
import { newSigningKey, trustIn, updateFile, updatesBy } from '../trust/trust-updates.ts'
import { bytesOf, never } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'

const FILE = 'agent-1.2.3-linux-amd64.tar.gz'
const BYTES = bytesOf(1000)

let dir: string
let keys: SigningKey
let alice: SigningKey
const at = (...names: readonly string[]): string => join(dir, ...names)
const cli = (...args: readonly string[]): Promise<CliResult> => runCli([...args, '--json'])
const place = (): readonly string[] => ['--config', at('sealift.json'), '--out', at('site')]
const prepare = (...more: readonly string[]): Promise<CliResult> =>
  cli('trust', 'prepare', at('trust.json'), ...place(), '--payload', at('payload'), ...more)
const sign = (bundle: string): Promise<CliResult> =>
  cli('trust', 'sign', at('payload'), '--key', at('alice', 'signing-key.pem'), '--bundle', at(bundle))
const attach = (...bundles: readonly string[]): Promise<CliResult> =>
  cli('trust', 'attach', at('payload'), ...place(), ...bundles.flatMap((name) => ['--bundle', at(name)]))
const verify = (...more: readonly string[]): Promise<CliResult> =>
  cli('verify', at('releases', FILE), '--config', at('sealift.json'), '--site', at('site'), ...more)

beforeEach(async () => {
  dir = await temporaryFolder()
  keys = await readSigningKey((await generateSigningKey(at('release'))).privateKeyPath)
  alice = await readSigningKey((await generateSigningKey(at('alice'))).privateKeyPath)
  const trust = trustIn(keys, updatesBy([alice]))
  await mkdir(at('releases'))
  await writeFile(at('releases', FILE), BYTES)
  await writeFile(at('trust.json'), JSON.stringify(writeTrust(trust)))
  await writeFile(at('sealift.json'), JSON.stringify({ schema: 1, repository: 'acme', trust: writeTrust(trust) }))
  const published = await cli('publish', at('releases'), ...place(), '--key', at('release', 'signing-key.pem'))
  expect(published.exitCode, published.out).toBe(EXIT.ok)
})

test('what an update denies is refused by verify, whatever the catalogue says', async () => {
  expect((await verify()).exitCode).toBe(EXIT.ok)
  expect((await prepare('--deny', sha256Of(BYTES))).json()).toMatchObject({ ok: true, version: 1, denied: [sha256Of(BYTES)] })
  await sign('bundle')
  expect((await attach('bundle')).json()).toMatchObject({ ok: true, version: 1, file: 'trust/1.json' })
  expect(await verify()).toMatchObject({ exitCode: EXIT.refused })
  expect((await verify()).json()).toMatchObject({ failure: { code: 'artifact-denied' } })
})

test('a catalogue below a reset floor is refused by verify', async () => {
  await prepare('--reset-floor', '9000000000')
  await sign('bundle')
  await attach('bundle')
  expect((await verify()).json()).toMatchObject({ failure: { code: 'catalogue-rollback', floor: 9_000_000_000 } })
})

test('numbers follow each other, and nothing that is there is overwritten', async () => {
  for (const version of [1, 2]) {
    expect((await prepare()).json()).toMatchObject({ version })
    await sign('bundle')
    expect((await attach('bundle')).json()).toMatchObject({ version })
  }
  expect(await attach('bundle')).toMatchObject({ exitCode: EXIT.conflict })
  const nonsense = Buffer.from('{"not":"an update"}')
  await writeFile(at('site', 'trust', '3.json'), nonsense)
  await prepare()
  await sign('bundle')
  expect((await attach('bundle')).json()).toMatchObject({ failure: { code: 'publish-conflict', name: 'trust/3.json' } })
  expect(await readFile(at('site', 'trust', '3.json'))).toEqual(nonsense)
})

test.each<readonly [string, object, string]>([
  ['has no updates', { updates: undefined }, 'updates'],
  ['names nobody', { catalogueSigners: [] }, 'policy-missing'],
  ['is no section', { catalogueSigners: 'everybody' }, 'catalogueSigners'],
])('a section that %s is not made into an update', async (_why, over, told) => {
  await writeFile(at('trust.json'), JSON.stringify({ ...writeTrust(trustIn(keys, updatesBy([alice]))), ...over }))
  const result = await prepare()
  expect(result.exitCode).toBe(EXIT.usage)
  expect(result.out).toContain(told)
})

test('where nobody may change trust there is nothing to prepare', async () => {
  const trust = writeTrust(trustIn(keys, undefined))
  await writeFile(at('sealift.json'), JSON.stringify({ schema: 1, repository: 'acme', trust }))
  expect((await prepare()).json()).toMatchObject({ exitCode: EXIT.usage, failure: { code: 'policy-missing' } })
})

test('of several places one that lags or lies does not hide what another has', async () => {
  const config = { repository: 'acme', trust: trustIn(keys, updatesBy([alice])) }
  const next = trustIn(newSigningKey(), updatesBy([alice]))
  for (const [name, updates] of [
    ['lagging', [await updateFile({ version: 1, trust: next }, [alice])]],
    ['lying', [Buffer.from('{}'), await updateFile({ version: 2, trust: next }, [keys])]],
    ['good', [await updateFile({ version: 1, trust: next }, [alice]), await updateFile({ version: 2, trust: next }, [alice])]],
  ] as const) {
    await mkdir(at(name, 'trust'), { recursive: true })
    for (const [i, file] of updates.entries()) await writeFile(at(name, 'trust', `${i + 1}.json`), file)
  }
  const read = async (...names: readonly string[]): Promise<number> =>
    (
      await newestTrust(
        config,
        names.map((name) => readSiteIn(at(name))),
        never,
      )
    ).config.version
  expect(await read('lagging')).toBe(1)
  expect(await read('lying')).toBe(0)
  expect(await read('lagging', 'lying', 'good', 'absent')).toBe(2)
})
