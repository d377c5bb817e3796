// Every gate that needs no browser, one after the other. All run even when one fails: one pass shows all that is wrong.
// `--only NAME` runs one of them.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

// oxlint is told its folders: walking everything crashes its type-aware half on links inside node_modules.
const STEPS = [
  { name: 'types', command: ['tsc', '-b'] },
  { name: 'lint', command: ['oxlint', '--type-aware', 'src', 'signaling', 'demo', 'test', 'bench', 'scripts'] },
  { name: 'format', command: ['oxfmt', '--check'] },
  { name: 'architecture', command: ['vitest', 'run', 'test/architecture.test.ts'] },
  { name: 'dead-code', command: ['knip'] },
  { name: 'package', command: ['publint'], needsBuild: true },
  { name: 'size', command: [process.execPath, 'scripts/size-budget.mjs'], needsBuild: true },
]

const at = process.argv.indexOf('--only')
const only = at === -1 ? undefined : process.argv[at + 1]
const steps = at === -1 ? STEPS : STEPS.filter((step) => step.name === only)
if (steps.length === 0) {
  console.error(`There is no check named ${only}. They are: ${STEPS.map((step) => step.name).join(', ')}.`)
  process.exit(2)
}

const path = [join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter)
const failed = []
for (const { name, command, needsBuild } of steps) {
  console.log(`\n--- ${name}: ${command.join(' ')}`)
  const startMs = performance.now()
  const [program = '', ...args] = command
  const isReady = needsBuild !== true || existsSync(join(root, 'dist', 'page.js'))
  if (!isReady) console.error('dist/page.js is missing: run npm run build first.')
  const run = isReady
    ? spawnSync(program, args, {
        cwd: root,
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...process.env, PATH: path },
        shell: process.platform === 'win32',
      })
    : undefined
  if (run?.error) console.error(`${program} could not be started: ${run.error.message}`)
  const passed = run?.status === 0
  if (!passed) failed.push(name)
  console.log(`--- ${name}: ${passed ? 'passed' : 'FAILED'} in ${((performance.now() - startMs) / 1000).toFixed(1)} s`)
}

console.log(
  `\nchecks: ${steps.length - failed.length} passed, ${failed.length} failed${failed.length > 0 ? ` (${failed.join(', ')})` : ''}`,
)
process.exitCode = failed.length > 0 ? 1 : 0
