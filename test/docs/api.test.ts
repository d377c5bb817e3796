import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test, vi } from 'vitest'
import { examplesOf, renderApi } from '../../scripts/api-page.mjs'
import { readPublicApi, withProjects, type Entry } from '../../scripts/public-api.mjs'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { readPage } from './page.ts'

// The compiler reads all of the package's code; a starved machine takes its time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** For the service worker's own small page. */
const INTERNAL: ReadonlySet<string> = new Set(['runInterstitial'])
/** Its only function is shown in docs/embedding.md, where the whole of a worker stands. */
const SHOWN_ELSEWHERE: ReadonlySet<string> = new Set(['sealift/worker'])

let api: readonly Entry[]

beforeAll(() => {
  api = readPublicApi()
})

interface Example {
  readonly name: string
  readonly text: string
}

/** Compiles all of them in one program, against the sources of the public entries. */
async function complaintsOf(examples: readonly Example[]): Promise<readonly string[]> {
  const dir = await temporaryFolder()
  const paths = Object.fromEntries(api.map(({ entry }) => [entry, [join(ROOT, 'src', entry.slice('sealift/'.length), 'index.ts')]]))
  const compilerOptions = {
    composite: false,
    declaration: false,
    noEmit: true,
    rootDir: '/',
    lib: ['es2023', 'dom', 'dom.iterable', 'dom.asynciterable'],
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
    paths,
  }
  const config = join(dir, 'tsconfig.json')
  await writeFile(config, JSON.stringify({ extends: join(ROOT, 'tsconfig.base.json'), compilerOptions, include: ['*.ts'] }))
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  const files = examples.map((_, at) => join(dir, `example-${at}.ts`))
  await Promise.all(examples.map(({ text }, at) => writeFile(files[at] ?? '', `${text}\nexport {}\n`)))
  return withProjects([config], ([project]) =>
    files.flatMap((file, at) => {
      if (project?.program.getSourceFile(file) === undefined) throw new Error(`${file} is not in the program`)
      const found = [...project.program.getSyntacticDiagnostics(file), ...project.program.getSemanticDiagnostics(file)]
      return found.map(({ text }) => `${examples[at]?.name}: ${text}`)
    }),
  )
}

test('every example of a docstring compiles', async () => {
  const examples = api.flatMap(examplesOf)
  expect(examples.length).toBeGreaterThan(40)
  expect(await complaintsOf(examples)).toEqual([])
})

test('an example that calls what is not there does not compile, nor one that forgets to wait', async () => {
  const register = api.flatMap(examplesOf).find(({ name }) => name === 'register')?.text ?? ''
  const wrong = [register.replace('.download(', '.downlaod('), register.replace('await register()', 'register()')]
  const complaints = await complaintsOf(wrong.map((text, at) => ({ name: String(at), text })))
  expect(complaints.filter((complaint) => complaint.startsWith('0: ')).join()).toContain('downlaod')
  expect(complaints.filter((complaint) => complaint.startsWith('1: '))).not.toEqual([])
})

test('every function that is exported has an example', () => {
  const functions = api
    .filter(({ entry }) => !SHOWN_ELSEWHERE.has(entry))
    .flatMap(({ exports }) => exports.filter(({ isFunction }) => isFunction))
  const bare = functions.filter(({ name, tags }) => !INTERNAL.has(name) && !tags.some((tag) => tag.name === 'example'))
  expect(functions.length).toBeGreaterThan(30)
  expect(bare.map(({ name }) => name)).toEqual([])
})

test('docs/api.md is what the docstrings say; npm run api writes it anew', () => {
  expect(readPage('api.md')).toBe(renderApi(api))
})
