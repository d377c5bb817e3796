import { expect, test } from 'vitest'
import { HANDLING } from '../../src/core/errors.ts'
import { writeOutages } from '../drills/matrix/outages-page.ts'
import { MATRIX, type MatrixRow } from '../drills/matrix/run-matrix.ts'
import { readPage, rowsOf } from './page.ts'

const PAGE = readPage('outages.md')
const ROWS = new Map(rowsOf(PAGE).map(([name = '', ...rest]) => [name, rest]))

test.each(MATRIX.filter(({ group }) => !/^gateway|-firefox$/.test(group)).map(({ name, does, limitMs }) => [name, does, limitMs] as const))(
  'docs/outages.md says what is done about: %s',
  (name, does, limitMs) => {
    expect(ROWS.get(name)?.slice(0, 2)).toEqual([does, limitMs === undefined ? '' : String(limitMs)])
  },
)

test('the codes that docs/outages.md names are those of the product', () => {
  const named = [...PAGE.matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map(([, code = '']) => code)
  expect(named.length).toBeGreaterThan(3)
  expect(named.filter((code) => !(code in HANDLING))).toEqual([])
})

test('figures are put where the page has its marks, and nothing else of it changes', () => {
  const [cell] = MATRIX
  if (cell === undefined) throw new Error('the matrix is empty')
  const row: MatrixRow = {
    group: cell.group,
    name: cell.name,
    browser: 'chrome/1',
    passed: true,
    recoveryMs: 22,
    sources: { cdn: 0, gateway: 4, mesh: 0 },
    error: null,
    matrix: { limitMs: 300, p50Ms: 11, p95Ms: 22, runs: 20, wastedBytes: 0, faults: [] },
  }
  const [before = '', rest = ''] = PAGE.split('<!-- measured')
  const [, after = ''] = rest.split('<!-- end -->')
  const written = writeOutages(PAGE, MATRIX, { rows: [row], repeat: 20 })
  expect(written.startsWith(before)).toBe(true)
  expect(written.endsWith(`<!-- end -->${after}`)).toBe(true)
  expect(written).toContain('chrome/1; 20 runs of each.')
  expect(rowsOf(written).find(([name]) => name === cell.name)).toEqual([cell.name, cell.does, '300', '11 / 22', '', '', ''])
  expect(() => writeOutages('nothing here', MATRIX, { rows: [row], repeat: 20 })).toThrow(RangeError)
})
