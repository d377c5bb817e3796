import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { ATTACKS } from '../attacks/names-of-attacks.ts'
import type { Weakness } from '../planting/weakness.ts'
import { readPage, rowsOf } from './page.ts'

const TESTS = fileURLToPath(new URL('../', import.meta.url))

/** Every test file, by its path from the root of the repository. */
const files = new Map(
  readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => [`test/${name.replaceAll('\\', '/')}`, readFileSync(join(TESTS, name), 'utf8')] as const),
)
const weaknesses: Weakness[] = []
for (const file of readdirSync(join(TESTS, 'weaknesses'))) {
  const area: { readonly weaknesses: readonly Weakness[] } = await import(`../weaknesses/${file.slice(0, -'.ts'.length)}.ts`)
  weaknesses.push(...area.weaknesses)
}
const shown = rowsOf(readPage('threat-model.md')).flatMap((cells) => (cells.length === 3 ? [cells[2] ?? ''] : []))

/** The name, and nothing longer that begins with it. */
const titleOf = (attack: string): RegExp => new RegExp(`["'\`]${attack.replace('.', String.raw`\.`)}(?![\\w-])`, 'g')
const testedIn = (attack: string): readonly string[] => [...files].filter(([, text]) => titleOf(attack).test(text)).map(([path]) => path)

describe.each(ATTACKS)('%s', (attack) => {
  test('has a test of that name', () => {
    expect(testedIn(attack)).not.toEqual([])
  })

  test('has a weakness that this test has to notice', () => {
    const noticed = weaknesses.flatMap(({ tests }) => tests).filter(({ named = '' }) => titleOf(attack).test(`"${named}`))
    expect(noticed.filter(({ file }) => testedIn(attack).includes(file))).not.toEqual([])
  })

  test('stands once in docs/threat-model.md', () => {
    expect(shown.flatMap((cell) => [...cell.matchAll(titleOf(attack))])).toHaveLength(1)
  })
})
