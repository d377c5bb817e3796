import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { DEFAULT_IDENTITY, DEFAULT_ISSUER, readCases } from './read-cases.ts'
import { runConformance } from './run.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = join(await temporaryFolder(), 'cases')
  await mkdir(folder)
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
  return folder
}

test('a case with files of its own is asked by them, once with the artifact and once with its digest', async () => {
  const folder = await folderWith({
    'own_fail/bundle.sigstore.json': 'BUNDLE',
    'own_fail/artifact': 'ARTIFACT',
    'own_fail/trusted_root.json': 'ROOT',
    'own_fail/identity': 'me\n',
    'own_fail/issuer': 'them\n',
    'a.txt': 'SHARED',
    'production-trusted-root.json': 'PRODUCTION',
  })
  const shared = { bundle: base64('BUNDLE'), trustedRoot: 'ROOT', policy: { identity: 'me', issuer: 'them' } }
  expect(readCases(folder)).toEqual({
    problems: [],
    cases: [
      {
        name: 'own_fail',
        expected: 'reject',
        questions: [
          { input: 'artifact', question: { ...shared, artifact: base64('ARTIFACT') } },
          { input: 'digest', question: { ...shared, digest: sha256('ARTIFACT') } },
        ],
      },
    ],
  })
})

test('a case without files of its own is asked by the defaults, the trusted root in the folder or beside it', async () => {
  const folder = await folderWith({
    'plain/bundle.sigstore.json': 'BUNDLE',
    'a.txt': 'SHARED',
    '../production-trusted-root.json': 'BESIDE',
  })
  const [first] = readCases(folder).cases
  expect(first?.expected).toBe('accept')
  expect(first?.questions[0]?.question).toEqual({
    bundle: base64('BUNDLE'),
    artifact: base64('SHARED'),
    trustedRoot: 'BESIDE',
    policy: { identity: DEFAULT_IDENTITY, issuer: DEFAULT_ISSUER },
  })
  await writeFile(join(folder, 'production-trusted-root.json'), 'WITHIN')
  expect(readCases(folder).cases[0]?.questions[0]?.question.trustedRoot).toBe('WITHIN')
  await writeFile(join(folder, 'other.json'), 'NAMED')
  expect(readCases(folder, { trustedRoot: join(folder, 'other.json') }).cases[0]?.questions[0]?.question.trustedRoot).toBe('NAMED')
})

test('a case with a key is asked by the key alone, and needs no trusted root', async () => {
  const folder = await folderWith({ 'keyed/bundle.sigstore.json': 'BUNDLE', 'keyed/key.pub': 'KEY', 'a.txt': 'SHARED' })
  expect(readCases(folder).cases[0]?.questions[1]?.question).toEqual({
    bundle: base64('BUNDLE'),
    digest: sha256('SHARED'),
    policy: { publicKey: 'KEY' },
  })
})

test('a case that gives a client both a key and an identity is asked with both', async () => {
  const folder = await folderWith({
    'key-and-client-identity_fail/bundle.sigstore.json': 'BUNDLE',
    'key-and-client-identity_fail/key.pub': 'KEY',
    'both_fail/bundle.sigstore.json': 'BUNDLE',
    'both_fail/key.pub': 'KEY',
    'both_fail/identity': 'me',
    'a.txt': 'SHARED',
  })
  expect(readCases(folder).cases.map(({ questions }) => questions[0]?.question.policy)).toEqual([
    { publicKey: 'KEY', identity: 'me', issuer: DEFAULT_ISSUER },
    { publicKey: 'KEY', identity: DEFAULT_IDENTITY, issuer: DEFAULT_ISSUER },
  ])
})

test.each<[string, Readonly<Record<string, string>>, string]>([
  ['no bundle', { 'one/artifact': 'x' }, 'one has no bundle.sigstore.json'],
  ['no artifact', { 'one/bundle.sigstore.json': 'x', 'one/trusted_root.json': '{}' }, 'one has no artifact'],
  ['no trusted root', { 'one/bundle.sigstore.json': 'x', 'a.txt': 'x' }, 'one has no trusted_root.json'],
  ['no case', { 'a.txt': 'x' }, 'there is no case in'],
])('a folder with %s is a clear error, and nothing of it is run', async (_, files, problem) => {
  const folder = await folderWith({ 'good/bundle.sigstore.json': 'x', 'good/artifact': 'x', 'good/key.pub': 'x', ...files })
  if (problem.startsWith('there is no case')) return expect(readCases(await folderWith(files)).problems[0]).toContain(problem)
  const lines: string[] = []
  const surroundings = { built: '', found: { chromium: undefined, firefox: undefined }, print: (line: string) => lines.push(line) }
  expect(await runConformance(['--cases', folder, '--place', 'node', '--json'], surroundings)).toBe(2)
  expect(lines.join('\n')).toContain(problem)
  expect(lines.join('\n')).not.toContain('"conformance"')
})

test.each([
  [['--cases', '/there/is/no/such/folder'], 'there is no folder'],
  [[], 'no --cases'],
  [['--cases', '.', '--place', 'moon'], 'there is no place named moon'],
  [['--cases', '.', '--nonsense'], 'nonsense'],
  [['--cases', '.', '--trusted-root', '/there/is/no/such/file'], 'there is no file'],
])('a wrong command line is a clear error: %j', async (args, problem) => {
  const lines: string[] = []
  const surroundings = { built: '', found: { chromium: undefined, firefox: undefined }, print: (line: string) => lines.push(line) }
  expect(await runConformance(args, surroundings)).toBe(2)
  expect(lines.join('\n')).toContain(problem)
})
