import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readPage, rowsOf } from './page.ts'

const TESTS = fileURLToPath(new URL('../', import.meta.url))

/** All tests and drills as text, quotes without their backslashes; this folder only names them. */
function sources(): string {
  const names = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.startsWith('docs'))
  return names.map((name) => readFileSync(join(TESTS, name), 'utf8').replaceAll("\\'", "'")).join('\n')
}

const ROWS = rowsOf(readPage('threat-model.md')).filter((cells) => cells.length === 3)

test('every attack of docs/threat-model.md names what shows that it is stopped', () => {
  expect(ROWS.length).toBeGreaterThan(30)
  for (const [attack, where, shown] of ROWS)
    expect([attack, where, shown?.match(/^"[^"]+"(?:; "[^"]+")*$/)?.[0]]).toEqual([attack, where, shown])
})

test('every test that docs/threat-model.md names exists', () => {
  const all = sources()
  const named = ROWS.flatMap(([, , shown = '']) => [...shown.matchAll(/"([^"]+)"/g)].map(([, name = '']) => name))
  const missing = named.filter((name) => !["'", '"', '`'].some((quote) => all.includes(`${quote}${name}${quote}`)))
  expect(missing).toEqual([])
})
