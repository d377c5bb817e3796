import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { parseEnvelope, TRUST_UPDATE } from '../../src/core/manifest/parse-envelope.ts'
import { parseTrustUpdate } from '../../src/core/manifest/trust-update.ts'
import { packageRoot } from '../../src/node/package-root.ts'
import { runCli } from '../cli/run-cli.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { leadsSomewhere } from './headings.ts'
import { blocksOf, readPage, type Block } from './page.ts'
import { openStage, type Stage } from './runbook-stage.ts'
import { expectOptions, linesOf } from './shell.ts'

// A starved machine takes its time; no outcome here depends on it.
vi.setConfig({ testTimeout: 60_000 })

const NAMES = readdirSync(join(packageRoot(), 'docs/runbooks')).toSorted()
/** What is not ours to run here: it needs root, the network or a browser. */
const OTHERS = ['curl', 'jq', 'nginx', 'systemctl']

const home = process.cwd()
beforeEach(async () => process.chdir(await temporaryFolder()))
afterEach(() => process.chdir(home))

const pageOf = (name: string): string => readPage(`runbooks/${name}`)
const isRun = ({ language, label }: Block): boolean => language === 'sh' && (label === 'run' || label.startsWith('run '))

/** Runs the commands of a block; what they said together, in the page's words. */
async function run({ label, text }: Block, stage: Stage): Promise<string> {
  await stage.bringAbout(label.slice('run'.length).trim())
  let said = ''
  for (const { words, exitCode } of linesOf(text)) {
    const [program, ...args] = stage.standIns.reduce((all, [there, here]) => all.map((word) => word.replaceAll(there, here)), words)
    expect(program).toBe('sealift')
    await stage.prepare(args)
    const result = await runCli(args)
    expect(result.exitCode, `${words.join(' ')}\n${result.out}${result.err}`).toBe(exitCode)
    said += result.out
  }
  return stage.standIns.reduce((all, [there, here]) => all.replaceAll(here, there), said)
}

/** A line as it is printed, `…` for what differs each time. */
function patternOf(line: string): RegExp {
  const parts = line.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll(/ +/g, ' +'))
  return new RegExp(`^${parts.join('.*')}$`, 'm')
}

describe.each(NAMES)('docs/runbooks/%s', (name) => {
  const page = pageOf(name)
  const blocks = blocksOf(page)

  test('its commands do what it says, and print what it says', async () => {
    const stage = await openStage(name)
    let said = ''
    for (const block of blocks) {
      if (isRun(block)) said = await run(block, stage)
      else if (block.label === 'well') for (const line of block.text.split('\n')) expect(said).toMatch(patternOf(line))
    }
  })

  test('what it does not run has the options that it names', async () => {
    for (const { text } of blocks.filter(({ language, label }) => language === 'sh' && label === 'help'))
      for (const line of linesOf(text)) await expectOptions(line)
  })

  test('no command stands outside of what is tested', () => {
    const others = blocks.filter((block) => !isRun(block) && block.label !== 'help')
    const loose = others.filter(({ text }) => /^(?:npx )?sealift /m.test(text))
    expect(loose).toEqual([])
    const foreign = others
      .filter(({ language }) => language === 'sh')
      .flatMap(({ text }) => linesOf(text).map(({ words: [program] }) => program))
    expect(foreign.filter((program) => !OTHERS.includes(program ?? ''))).toEqual([])
    expect(page.replaceAll(/^```.*?^```$/gms, '')).not.toMatch(/^ {4,}(?:npx )?sealift /m)
  })

  test('every option that its text names exists', async () => {
    const text = page.replaceAll(/^```.*?^```$/gms, '')
    const inline = [...text.matchAll(/`sealift ([a-z-]+)(?: [^`]*)?`/g)].map(([, command = '']) => command)
    for (const command of new Set(inline)) expect((await runCli([command, '--help'])).exitCode, command).toBe(0)
    const commands = ['gateway config', 'publish', 'push', 'sync', 'promote', 'init', 'check', 'probe', 'verify', 'audit verify']
    const help = await Promise.all(commands.map(async (command) => (await runCli([...command.split(' '), '--help'])).out))
    // Of pip and others: said of them, in the page on them.
    const foreign = name === 'beside-package-managers.md' ? ['--index-url', '--extra-index-url', '--require-hashes'] : []
    const named = [...text.matchAll(/`(--[a-z][a-z-]+)/g)].flatMap(([, option = '']) => (foreign.includes(option) ? [] : [option]))
    for (const option of named) expect(help.join('\n')).toMatch(new RegExp(`${option}\\b`))
  })

  test('its first words say what to do now', () => {
    expect(page.split('\n')[2]).toMatch(/^\*\*Do now/)
  })

  test('its links lead somewhere', () => {
    const links = [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => (link.startsWith('#') ? `${name}${link}` : link))
    expect(links.length).toBeGreaterThan(2)
    expect(links.filter((link) => !leadsSomewhere(link, 'docs/runbooks'))).toEqual([])
  })
})

test('a line is held to what was printed, but for what differs each time', () => {
  expect('ok  eu   reachable  12 ms').toMatch(patternOf('ok eu reachable …'))
  expect('FAILED  eu   reachable  12 ms').not.toMatch(patternOf('ok eu reachable …'))
  expect('all 14 checks passed.').not.toMatch(patternOf('all 16 checks passed.'))
})

test('the set-up takes no more than its half hour', () => {
  const minutes = [...pageOf('setup.md').matchAll(/^## .*\((\d+) min\)$/gm)].map(([, count]) => Number(count))
  expect(minutes).toHaveLength(7)
  expect(minutes.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(30)
})

test('after a key compromise the old key is out, what the thief signed is denied, and the floor is where it was put', async () => {
  const stage = await openStage('key-compromise.md')
  for (const block of blocksOf(pageOf('key-compromise.md')).filter(isRun)) await run(block, stage)
  const update = parseTrustUpdate(parseEnvelope(await readFile('mirrors/eu/trust/1.json'), TRUST_UPDATE).payload)
  expect(update).toMatchObject({ version: 1, denied: [expect.stringMatching(/^3266/)], resetFloor: 1_790_000_000 })
})

test('every runbook is named in docs/operations.md, and those in README.md by one link', () => {
  const operations = readPage('operations.md')
  expect(NAMES.filter((name) => !operations.includes(`(runbooks/${name})`))).toEqual([])
  expect(readFileSync(join(packageRoot(), 'README.md'), 'utf8')).toContain('(docs/operations.md#runbooks)')
})
