/** One way to break the product, and the tests that have to notice. */
export interface Weakness {
  /** Unlike any other; lower case and hyphens. An attack's own number goes first: `tr05-equal-version`. */
  readonly name: string
  /** The file to break, from the root of the repository. */
  readonly file: string
  /** Exact text of that file, several lines or a part of one. It stands there once, else the row is stale and the run fails. */
  readonly find: string
  /** What stands there instead. It has to compile; types are not checked. */
  readonly replace: string
  /** Each of these must fail with the weakness, and pass without. */
  readonly tests: readonly [TestSelection, ...TestSelection[]]
  /** The tests look at what `npm run build` makes: it is made anew with the weakness in it. */
  readonly needsBuild?: boolean
}

/** Some tests of one file, of which at least one must fail. */
export interface TestSelection {
  /** A project of vite.config.ts. */
  readonly project: 'unit' | 'dom' | 'shims' | 'browser'
  readonly file: string
  /** Part of the test's name, its `describe` names before it. Without it, any test of the file counts. */
  readonly named?: string
}

/** Names tests of one file, each by a part of its name: `testsOf('test/cli/main.test.ts')('ends with 2')`. */
export function testsOf(file: string, project: TestSelection['project'] = 'unit'): (named: string) => TestSelection {
  return (named) => ({ project, file, named })
}
