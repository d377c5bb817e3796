import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { blocksOf, readPage } from './page.ts'

// The compiler reads all of the page's code; a starved machine takes its time.
vi.setConfig({ testTimeout: 120_000 })

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PAGES = ['embedding.md', 'migrating.md', 'operations.md']

/** Which globals an example may use, by its label. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  '': ['dom', 'dom.iterable', 'dom.asynciterable'],
  worker: ['webworker', 'webworker.iterable', 'webworker.asynciterable'],
  node: [],
}

interface Outcome {
  readonly status: number | null
  readonly said: string
}

/** Compiles modules as a site with strict options would, against the sources of the public entries. */
async function compile(label: string, modules: readonly string[]): Promise<Outcome> {
  const dir = await temporaryFolder()
  const entry = (name: string): readonly string[] => [join(ROOT, 'src', name, 'index.ts')]
  await writeFile(
    join(dir, 'tsconfig.json'),
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.base.json'),
      compilerOptions: {
        composite: false,
        declaration: false,
        noEmit: true,
        rootDir: '/',
        lib: ['es2023', ...(KINDS[label] ?? [])],
        types: label === 'node' ? ['node'] : [],
        typeRoots: [join(ROOT, 'node_modules/@types')],
        paths: {
          'sealift/element': entry('element'),
          'sealift/page': entry('page'),
          'sealift/storage': entry('storage'),
          'sealift/worker': entry('worker'),
          'sealift/node': entry('node'),
          'workbox-precaching': [join(ROOT, 'node_modules/workbox-precaching/index.d.ts')],
        },
      },
      include: ['*.ts'],
    }),
  )
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  for (const [at, text] of modules.entries()) await writeFile(join(dir, `example-${at}.ts`), text)
  const run = spawnSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', dir], { encoding: 'utf8' })
  return { status: run.status, said: run.stdout + run.stderr }
}

const examplesOf = (label: string): readonly string[] =>
  PAGES.flatMap((name) => blocksOf(readPage(name)))
    .filter((block) => block.language === 'ts' && block.label === label)
    .map(({ text }) => text)

test.each(Object.keys(KINDS))('every example labelled %j compiles', async (label) => {
  const examples = examplesOf(label)
  expect(examples.length).toBeGreaterThan(0)
  expect(await compile(label, examples)).toEqual({ status: 0, said: '' })
})

test('an example that calls what is not there does not compile', async () => {
  const [first = ''] = examplesOf('')
  const { status, said } = await compile('', [first.replace('sealift.download(', 'sealift.downlaod(')])
  expect(status).not.toBe(0)
  expect(said).toContain('downlaod')
})

test('no example escapes the compiler', () => {
  const blocks = PAGES.flatMap((name) => blocksOf(readPage(name)))
  const loose = blocks.filter(({ language, label }) => /^(?:ts|js|typescript|javascript)$/.test(language) && !(label in KINDS))
  expect(loose).toEqual([])
  expect(blocks.filter(({ language, text }) => language !== 'ts' && text.includes("from 'sealift/"))).toEqual([])
})
