import { spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import type { TestSelection } from './weakness.ts'

/** One test as Vitest reports it. */
export interface TestResult {
  readonly file: string
  readonly fullName: string
  readonly status: string
  readonly failures: readonly string[]
}

export interface TestRun {
  readonly tests: readonly TestResult[]
  /** Why there is no result, or the files that could not be loaded: nothing of them says whether a weakness is caught. */
  readonly broken: string | undefined
}

/** A selection may start browsers; what takes longer hangs. */
const DEADLINE_MS = 10 * 60_000
const OUTPUT_CHARACTERS = 2000

/** Runs the selected tests in `dir`. */
export async function runTests(dir: string, selections: readonly TestSelection[]): Promise<TestRun> {
  const report = join(dir, 'weakness-report.json')
  await rm(report, { force: true })
  const files = new Set(selections.map(({ file }) => file))
  const projects = new Set(selections.map(({ project }) => project))
  const names = selections.map(({ named }) => named)
  const pattern = names.every((name) => name !== undefined) ? ['-t', names.map(escapePattern).join('|')] : []
  const args = ['run', ...files, ...[...projects].flatMap((project) => ['--project', project]), ...pattern]
  const { output } = await runBin(dir, ['vitest', ...args, '--reporter=json', `--outputFile=${report}`, '--maxWorkers=1'])
  const text = await readFile(report, 'utf8').catch(() => undefined)
  return text === undefined ? { tests: [], broken: `vitest wrote no report: ${output}` } : readReport(dir, JSON.parse(text))
}

/** Builds what the browser tests load. Types that no longer fit are no matter, as long as the scripts come out. */
export async function build(dir: string): Promise<string | undefined> {
  await runBin(dir, ['tsc', '-b'])
  const { code, output } = await runBin(dir, ['vite', 'build'])
  return code === 0 ? undefined : `the build failed: ${output}`
}

async function runBin(
  dir: string,
  [program = '', ...args]: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(join(dir, 'node_modules', '.bin', program), args, {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DEADLINE_MS,
    shell: process.platform === 'win32',
  })
  let output = ''
  const keep = (part: Buffer): void => {
    output = (output + part.toString()).slice(-OUTPUT_CHARACTERS)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  return { code, output }
}

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages?: readonly string[] | null
    }[]
  }[]
}

function readReport(dir: string, { testResults }: Report): TestRun {
  const tests = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ fullName, status, failureMessages }) => ({
      file: relative(dir, name).split(sep).join('/'),
      fullName,
      status,
      failures: failureMessages ?? [],
    })),
  )
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((one) => one.status === 'failed'),
  )
  return {
    tests,
    broken: broken.length === 0 ? undefined : broken.map(({ name, message }) => `${relative(dir, name)}: ${message}`).join('; '),
  }
}

function escapePattern(text = ''): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}
