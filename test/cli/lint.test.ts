import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { startSwitchableServer } from '../../demo/stack/switchable-server.ts'
import { makeFolder } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { runCli } from './run-cli.ts'

/** A site that clients accept, with all of its eggs in one basket. */
async function basket(
  publishArgs: readonly string[] = [],
): Promise<{ readonly site: string; readonly config: string; readonly keys: string }> {
  const work = await temporaryFolder()
  const [site, keys, config] = [join(work, 'site'), join(work, 'keys'), join(work, 'sealift.json')]
  await runCli(['keygen', keys])
  const dir = await makeFolder({ 'agent-1.2.3.tgz': 'agent' })
  const args = ['publish', dir, '--out', site, '--repository', 'acme', '--key', join(keys, 'signing-key.pem'), ...publishArgs]
  expect(await runCli(args)).toMatchObject({ exitCode: EXIT.ok })
  const publicKey = await readFile(join(keys, 'signing-key.pub'), 'utf8')
  await writeFile(config, JSON.stringify({ schema: 1, repository: 'acme', origins: [], trust: { catalogueSigners: [{ publicKey }] } }))
  return { site, config, keys }
}

const TWO = ['--origin', 'eu=https://eu.acme.example/', '--origin', 'us=https://us.acme.example/']

test('warnings end with 0, and with 8 when they are to count', async () => {
  const { site } = await basket(TWO)
  const told = await runCli(['lint', site])
  expect(told).toMatchObject({ exitCode: EXIT.ok, err: '' })
  expect(told.out).toMatch(/^warning {4}single-zone\n {11}All origins are under acme\.example, /m)
  expect(told.out).toMatch(/\nfound {6}0 errors, \d warnings, \d pieces of advice\n$/)
  const strict = await runCli(['lint', site, '--strict', '--json'])
  expect(strict.exitCode).toBe(EXIT.wanting)
  expect(strict.json()).toMatchObject({
    ok: false,
    exitCode: 8,
    findings: expect.arrayContaining([{ code: 'no-grace', severity: 'warning', message: expect.stringContaining('--grace') }]),
  })
})

test('errors end with 8 without being asked to', async () => {
  const { site, config } = await basket()
  const result = await runCli(['lint', site, '--config', config])
  expect(result).toMatchObject({ exitCode: EXIT.wanting, err: '' })
  expect(result.out).toMatch(/^error {6}no-origin\n/)
  expect(await runCli(['lint', '--config', config])).toMatchObject({
    exitCode: EXIT.wanting,
    out: expect.stringContaining('catalogue-unseen'),
  })
})

test('operators and regions are what `sealift publish` was told', async () => {
  const told = ['--operator', 'eu=Acme Cloud', '--operator', 'us=Acme Cloud', '--region', 'eu=eu-central', '--region', 'us=us-east']
  const { site } = await basket([...TWO, ...told, '--grace', '2d'])
  const { out } = await runCli(['lint', site])
  expect(out).toContain('All origins are run by Acme Cloud')
  expect(out).not.toMatch(/region|no-grace/)
})

test('a fact about an origin that nobody named ends with 2', async () => {
  const dir = await makeFolder({ 'agent-1.2.3.tgz': 'agent' })
  const args = ['publish', dir, '--out', join(dir, 'site'), '--repository', 'acme', '--authority', join(dir, 'a'), ...TWO]
  const result = await runCli([...args, '--operator', 'asia=Acme'])
  expect(result).toMatchObject({ exitCode: EXIT.usage, err: expect.stringContaining('names asia') })
  expect(await runCli([...args, '--region', 'eu'])).toMatchObject({ exitCode: EXIT.usage, err: expect.stringContaining('NAME=WORDS') })
})

test('a longer outage is one that the catalogue does not outlive', async () => {
  const { site } = await basket([...TWO, '--grace', '1d'])
  expect((await runCli(['lint', site, '--outage', '8d'])).out).not.toContain('catalogue-short')
  expect((await runCli(['lint', site, '--outage', '9d'])).out).toContain('an outage of 9 days may end it')
})

test('a catalogue that the configuration does not trust is refused, not judged', async () => {
  const [{ site }, { config }] = [await basket(TWO), await basket(TWO)]
  expect(await runCli(['lint', site, '--config', config])).toMatchObject({ exitCode: EXIT.refused, out: '' })
})

test('a site behind a URL is read there, and one that is not there could not be judged', async () => {
  const { site } = await basket(TWO)
  const server = await startSwitchableServer((request, response) => {
    if (request.url === '/catalogue.json') void readFile(join(site, 'catalogue.json')).then((bytes) => response.end(bytes))
    else response.writeHead(404).end()
  }, 0)
  try {
    expect(await runCli(['lint', server.url])).toMatchObject({ exitCode: EXIT.ok, out: expect.stringContaining('single-zone') })
    expect(await runCli(['lint', `${server.url}elsewhere/`])).toMatchObject({ exitCode: EXIT.unavailable, out: '' })
  } finally {
    await server.stop()
  }
  expect(await runCli(['lint', server.url])).toMatchObject({ exitCode: EXIT.unavailable })
})

test.each([
  ['without anything to look at', []],
  ['of a folder without a catalogue', ['.']],
  ['of a configuration that is not there', ['--config', '/nonexistent/sealift.json']],
])('%s does not end with 0', async (_, args) => {
  const result = await runCli(['lint', ...args])
  expect(result).toMatchObject({ out: '' })
  expect([EXIT.usage, EXIT.unavailable]).toContain(result.exitCode)
})
