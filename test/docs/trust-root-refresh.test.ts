import { expect, test } from 'vitest'
import * as library from '../../src/trust-refresh/index.ts'
import type { TufReason } from '../../src/tuf/refusal.ts'
import { TUF_LIMITS } from '../../src/tuf/tuf-limits.ts'
import { blocksOf, readPage, rowsOf } from './page.ts'

const PAGE = readPage('trust-root-refresh.md')

/** A reason without a line here does not compile. */
const REASONS: Readonly<Record<TufReason, true>> = {
  unreachable: true,
  missing: true,
  oversized: true,
  format: true,
  signatures: true,
  rollback: true,
  mismatch: true,
  expired: true,
}

test('the page says of every reason what it means, and of none that there is not', () => {
  const listed = rowsOf(PAGE).flatMap((cells) => (cells.length === 2 ? [cells[0]?.replaceAll('`', '')] : []))
  expect(new Set(listed)).toEqual(new Set(Object.keys(REASONS)))
  expect(listed).toHaveLength(Object.keys(REASONS).length)
})

test('the page gives the limits that are kept', () => {
  const { rootBytes, timestampBytes, snapshotBytes, targetsBytes, trustedRootBytes, rotationsPerRefresh } = TUF_LIMITS
  const sizes = rowsOf(PAGE).flatMap((cells) => (cells.length === 3 ? [cells[2]] : []))
  const expected = [rootBytes, timestampBytes, snapshotBytes, targetsBytes, trustedRootBytes]
  expect(sizes).toEqual(expected.map((bytes) => `${bytes.toLocaleString('en-US')} bytes`))
  expect(PAGE).toContain(`${rotationsPerRefresh} in one refresh`)
  expect(PAGE).toContain(`${TUF_LIMITS.documentMs / 1000} s for a file, a minute for all`)
  expect(TUF_LIMITS.refreshMs).toBe(60_000)
})

test('the page imports what there is', () => {
  const code = blocksOf(PAGE).find(({ language }) => language === 'js')?.text ?? ''
  const names = /import \{ ([^}]+) \} from 'sealift\/trust-refresh'/.exec(code)?.[1]?.split(', ') ?? []
  expect(names.length).toBeGreaterThan(0)
  for (const name of names) expect(Object.keys(library)).toContain(name)
})
