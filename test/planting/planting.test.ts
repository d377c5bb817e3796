import { describe, expect, test } from 'vitest'
import { flawOfBaseline, judgePlanted } from './judge.ts'
import { chooseWeaknesses, plantInto } from './plant.ts'
import type { TestResult, TestRun } from './run-tests.ts'
import type { Weakness } from './weakness.ts'

const FILE = 'test/a.test.ts'
const weakness: Weakness = {
  name: 'always-true',
  file: 'src/a.ts',
  find: 'return a === b',
  replace: 'return true',
  tests: [
    { project: 'unit', file: FILE, named: 'refuses' },
    { project: 'shims', file: 'test/b.test.ts' },
  ],
}

describe('a planted text', () => {
  test('takes the place of the one that was there', () => {
    expect(plantInto('{ return a === b }', weakness)).toBe('{ return true }')
    expect(plantInto('return a === b', { ...weakness, replace: '$&' })).toBe('$&')
  })

  test.each([
    ['is gone', 'return a == b', {}],
    ['stands there twice', 'return a === b; return a === b', {}],
    ['is empty', 'return a === b', { find: '' }],
    ['is replaced by itself', 'return a === b', { replace: 'return a === b' }],
  ])('is an error when what it replaces %s', (_, text, changed) => {
    expect(() => plantInto(text, { ...weakness, ...changed })).toThrow('always-true: ')
  })
})

describe('the rows to run', () => {
  const other = { ...weakness, name: 'never-true' }
  const areas = new Map([
    ['shim', [weakness]],
    ['trust', [other]],
  ])

  test('are all, those of an area, or those that are named', () => {
    expect(chooseWeaknesses(areas, [])).toEqual([weakness, other])
    expect(chooseWeaknesses(areas, ['trust'])).toEqual([other])
    expect(chooseWeaknesses(areas, ['always-true'])).toEqual([weakness])
  })

  test('are an error when a name is unknown, or stands twice', () => {
    expect(() => chooseWeaknesses(areas, ['nothing'])).toThrow('named nothing')
    expect(() => chooseWeaknesses(new Map([['a', [weakness, weakness]]]), [])).toThrow('two weaknesses')
  })
})

describe('a weakness', () => {
  test('is caught when each selection holds a failed test', () => {
    expect(judgePlanted(run(failed(FILE, 'a thing refuses b'), failed('test/b.test.ts', 'c')), weakness)).toMatchObject({ caught: true })
  })

  test.each([
    ['one selection passed', run(failed(FILE, 'a thing refuses b'), result('test/b.test.ts', 'c', 'passed')), 'survived shims'],
    ['another test failed than the named one', run(failed(FILE, 'a thing takes b'), failed('test/b.test.ts', 'c')), 'survived unit'],
    [
      'it does not even run',
      run(failed(FILE, 'it refuses b', 'ReferenceError: c is not defined')),
      'broken rather than weak: ReferenceError',
    ],
    ['its file cannot be loaded', { tests: [], broken: 'test/a.test.ts: Transform failed' }, 'broken rather than weak: test/a.test.ts'],
  ])('is not caught when %s', (_, planted, detail) => {
    const row = judgePlanted(planted, weakness)
    expect(row.caught).toBe(false)
    expect(row.detail).toContain(detail)
  })
})

describe('tests that say nothing of a weakness', () => {
  const passing = [result(FILE, 'it refuses b', 'passed'), result('test/b.test.ts', 'c', 'passed')]

  test('are none when all of them pass without it', () => {
    expect(flawOfBaseline(run(...passing), weakness)).toBeUndefined()
  })

  test.each([
    ['fail without it', run(failed(FILE, 'it refuses b'), ...passing), 'failed: it refuses b'],
    ['are not there', run(...passing.slice(1)), 'no test is unit test/a.test.ts "refuses"'],
    ['are skipped', run(result(FILE, 'it refuses b', 'skipped'), ...passing.slice(1)), 'no test is unit'],
    ['cannot be loaded', { tests: passing, broken: 'test/a.test.ts: SyntaxError' }, 'SyntaxError'],
  ])('are those that %s', (_, baseline, flaw) => {
    expect(flawOfBaseline(baseline, weakness)).toContain(flaw)
  })
})

function run(...tests: readonly TestResult[]): TestRun {
  return { tests, broken: undefined }
}

function failed(file: string, fullName: string, failure = 'AssertionError: expected true to be false'): TestResult {
  return { ...result(file, fullName, 'failed'), failures: [failure] }
}

function result(file: string, fullName: string, status: string): TestResult {
  return { file, fullName, status, failures: [] }
}
