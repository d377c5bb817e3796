import type { TestResult, TestRun } from './run-tests.ts'
import type { TestSelection, Weakness } from './weakness.ts'

/** What became of a planted weakness. */
export interface Row {
  readonly name: string
  readonly caught: boolean
  /** The tests that noticed, or why nobody did. */
  readonly detail: string
}

/** A planted text that does not even run proves nothing: whatever looks at it fails. */
const NOT_AN_ASSERTION = /^(?:ReferenceError|SyntaxError)|Transform failed|Failed to (?:load|resolve)/

/** Why the tests cannot tell anything about the weakness, or undefined: each selection names tests, and all of them pass. */
export function flawOfBaseline(run: TestRun, weakness: Weakness): string | undefined {
  if (run.broken !== undefined) return `without it: ${run.broken}`
  for (const selection of weakness.tests) {
    const tests = run.tests.filter((test) => isSelected(test, selection) && test.status !== 'skipped')
    if (tests.length === 0) return `without it: no test is ${describe(selection)}`
    const failed = tests.find(({ status }) => status !== 'passed')
    if (failed !== undefined) return `without it: ${failed.status}: ${failed.fullName}`
  }
  return undefined
}

/** Every selection must hold a test that failed by what it asserts. */
export function judgePlanted(run: TestRun, weakness: Weakness): Row {
  const { name } = weakness
  const noticed: string[] = []
  for (const selection of weakness.tests) {
    const failed = run.tests.filter((test) => isSelected(test, selection) && test.status === 'failed')
    const [first] = failed.filter(({ failures }) => !failures.every((failure) => NOT_AN_ASSERTION.test(failure)))
    if (first === undefined) return { name, caught: false, detail: reasonFor(run, failed, selection) }
    noticed.push(`${describe(selection)}: ${failed.length} failed, the first is "${first.fullName}"`)
  }
  return { name, caught: true, detail: noticed.join('; ') }
}

function reasonFor(run: TestRun, failed: readonly TestResult[], selection: TestSelection): string {
  if (run.broken !== undefined) return `broken rather than weak: ${run.broken}`
  const [crash] = failed
  if (crash !== undefined) return `broken rather than weak: ${crash.failures[0] ?? crash.fullName}`
  return `survived ${describe(selection)}`
}

function isSelected(test: TestResult, { file, named = '' }: TestSelection): boolean {
  return test.file === file && test.fullName.includes(named)
}

function describe({ project, file, named }: TestSelection): string {
  return `${project} ${file}${named === undefined ? '' : ` "${named}"`}`
}
