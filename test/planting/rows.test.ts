import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { chooseWeaknesses, plantInto } from './plant.ts'
import type { Weakness } from './weakness.ts'

const ROOT = new URL('../../', import.meta.url)
const pathOf = (file: string) => fileURLToPath(new URL(file, ROOT))

const areas = new Map<string, readonly Weakness[]>()
for (const file of readdirSync(new URL('../weaknesses/', import.meta.url))) {
  if (!file.endsWith('.ts')) continue
  const name = file.slice(0, -'.ts'.length)
  const area: { readonly weaknesses: readonly Weakness[] } = await import(`../weaknesses/${name}.ts`)
  areas.set(name, area.weaknesses)
}
const all = chooseWeaknesses(areas, [])

test('there are weaknesses, each with a name of its own', () => {
  expect(all.length).toBeGreaterThan(0)
  for (const { name } of all) expect(name).toMatch(/^[a-z0-9]+(?:-[a-z0-9]+)*$/)
})

describe('can still be planted', () => {
  test.each(all)('$name', (weakness) => {
    expect(() => plantInto(readFileSync(pathOf(weakness.file), 'utf8'), weakness)).not.toThrow()
    for (const { file } of weakness.tests) expect([file, existsSync(pathOf(file))]).toEqual([file, true])
  })
})
