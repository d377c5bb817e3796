import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { packageRoot } from '../../src/node/package-root.ts'
import { readPage, rowsOf } from './page.ts'
import { expectOptions, linesOf } from './shell.ts'

/** Every demand that was taken on, in the order of the research; one of them has two rows. */
const LABELS = `
S0:13,32-37 S0:17,214 S0:19,191,200 S0:28 S0:43 S0:45-59 S0:61 S0:70-73 S0:78 S0:78,110 S0:82,86-93 S0:83,95-99 S0:84 S0:101 S0:107 S0:108,163
S0:109,198 S0:111 S0:112 S0:114-122 S0:126-131 S0:133-138 S0:154 S0:155-156 S0:157 S0:158,187 S0:159 S0:163-166 S0:168-175 S0:177 S0:181-187 S0:192
S0:193 S0:201,210 S0:203 S1:37-47 S1:48-51,179 S1:53-58,201-213 S1:60 S1:62-71 S1:73-77,261 S1:81-114 S1:116 S1:118-122 S1:124 S1:126-155
S1:157,237,241 S1:159-169 S1:175-181 S1:183-186 S1:190-193 S1:195-199 S1:239-245 S1:251-255 S1:259-263 S1:264 S2:16 S2:19,39 S2:29 S2:34 S2:34
S2:39 S2:41 S3:12-17 S3:26 S3:29 S3:42`
  .trim()
  .split(/\s+/)

/** How much of that nothing shows. It may only go down. */
const NOT_YET = 13

const { scripts }: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(join(packageRoot(), 'package.json'), 'utf8'),
)
const PAGE = readPage('coverage.md')
const ROWS = rowsOf(PAGE).map(([label = '', demand = '', shown = '']) => ({ label, demand, shown }))
const namedIn = (shown: string): readonly string[] => [...shown.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)

/** The drills that can be chosen by a word, as text. */
const drills = readdirSync(join(packageRoot(), 'test/drills'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(packageRoot(), 'test/drills', name), 'utf8'))
  .join('\n')

/** @throws {Error} when nothing of that name is there */
async function expectThere(name: string): Promise<void> {
  if (name.startsWith('sealift ')) {
    for (const line of linesOf(name)) await expectOptions(line)
    return
  }
  const [, script, words = ''] = /^npm run (\S+)(?: -- (.+))?$/.exec(name) ?? []
  if (script === undefined) return expect(existsSync(join(packageRoot(), name)), name).toBe(true)
  expect(scripts[script], name).toBeDefined()
  if (script === 'bench') expect(existsSync(join(packageRoot(), 'bench', `${words}.ts`)), name).toBe(true)
  if (words.startsWith('--only ')) expect(drills, name).toContain(`'${words.slice('--only '.length)}'`)
}

test('every demand has its row, in the order of the research, and no other has', () => {
  expect(ROWS.map(({ label }) => label)).toEqual(LABELS)
  expect(ROWS.filter(({ demand }) => demand.length < 10)).toEqual([])
})

describe('what a row names is there', () => {
  test.each(ROWS.map(({ label, demand, shown }) => [label, demand, shown] as const))('%s, %s', async (_, __, shown) => {
    const names = namedIn(shown)
    if (names.length === 0) expect(shown).toBe('not yet')
    for (const name of names) await expectThere(name)
  })
})

test('a file, a script, a group, a command or an option that is not there is found out', async () => {
  for (const made of [
    'test/nothing.test.ts',
    'npm run nothing',
    'npm run bench -- nothing',
    'npm run drill -- --only no-such-group',
    'sealift nothing',
    'sealift check --nothing',
  ])
    await expect(expectThere(made), made).rejects.toThrow()
})

test('there is less that nothing shows than before, or as much', () => {
  expect(ROWS.flatMap(({ shown }) => shown.match(/\bnot yet\b/g) ?? []).length, 'lower NOT_YET once something is shown').toBe(NOT_YET)
})

test('a reader finds it', () => {
  expect(readPage('../README.md')).toContain('(docs/coverage.md)')
})
