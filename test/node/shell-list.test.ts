import { createHash } from 'node:crypto'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { listShell, shellEntry, withoutShell, withShell } from '../../src/node/shell-list.ts'
import { makeFolder, never } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'

const GUARD = 'self.sealiftComplete=true;'
const SCRIPT = `(()=>{work()})(),${GUARD}\n//# sourceMappingURL=sw.js.map`

const FILES = {
  'index.html': 'page',
  'about.html': 'about',
  'assets/app.js': 'app',
  'assets/app.js.map': 'map',
  'assets/deep/er/logo.svg': 'logo',
  'assets/.hidden': 'hidden',
  '.git/config': 'git',
  'releases/big.bin': 'big',
  'sw.js': 'worker',
  'noop-sw.js': 'nothing',
  'sealift.json': '{}',
}

const listed = async (dir: string, patterns: readonly string[]) => (await listShell(dir, patterns, never)).map(({ url }) => url)

test.each([
  [['index.html'], ['index.html']],
  [['*.html'], ['about.html', 'index.html']],
  [['?????.html'], ['about.html', 'index.html']],
  [['assets/**'], ['assets/app.js', 'assets/deep/er/logo.svg']],
  [['assets/*'], ['assets/app.js']],
  [['**/*.svg'], ['assets/deep/er/logo.svg']],
  [['**/deep/**/*.svg'], ['assets/deep/er/logo.svg']],
  [['**/index.html'], ['index.html']],
  [
    ['assets/**', 'index.html', '**/app.js'],
    ['assets/app.js', 'assets/deep/er/logo.svg', 'index.html'],
  ],
  [['**'], ['about.html', 'assets/app.js', 'assets/deep/er/logo.svg', 'index.html', 'releases/big.bin']],
  [['**/**'], ['about.html', 'assets/app.js', 'assets/deep/er/logo.svg', 'index.html', 'releases/big.bin']],
])('%j lists %j', async (patterns, expected) => {
  expect(await listed(await makeFolder(FILES), patterns)).toEqual(expected)
})

test('a revision is the beginning of the SHA-256 of the content, and changes with it', async () => {
  const dir = await makeFolder({ 'index.html': 'one' })
  const revision = createHash('sha256').update('one').digest('hex').slice(0, 32)
  expect(await listShell(dir, ['index.html'], never)).toEqual([{ url: 'index.html', revision }])
  await writeFile(join(dir, 'index.html'), 'two')
  expect((await listShell(dir, ['index.html'], never))[0]?.revision).not.toBe(revision)
})

test('a link to a file counts as the file', async () => {
  const dir = await makeFolder({ 'index.html': 'page' })
  await symlink(join(await makeFolder({ 'logo.svg': 'logo' }), 'logo.svg'), join(dir, 'logo.svg'))
  expect(await listShell(dir, ['*.svg'], never)).toEqual([shellEntry('logo.svg', Buffer.from('logo'))])
})

test.each(['../secret', 'assets/../../secret', '/etc/passwd', './index.html', 'assets//app.js', 'assets/', '', 'C:/x', 'assets\\app.js'])(
  'refuses the pattern %j',
  async (pattern) => {
    await expect(listShell(await makeFolder(FILES), [pattern], never)).rejects.toMatchObject({
      code: 'input-invalid',
      failure: { path: pattern, detail: expect.stringMatching(/leaves the folder|no relative path/) },
    })
  },
)

test.each(['nothing.html', 'assets', 'index.html/**', 'sw.js', 'sealift.json', '**/*.map', '.git/**', '[ai]*.html'])(
  'refuses %j, which matches no file to keep, rather than keep nothing in silence',
  async (pattern) => {
    await expect(listShell(await makeFolder(FILES), ['index.html', pattern], never)).rejects.toMatchObject({ code: 'input-invalid' })
  },
)

test('refuses what no visitor should have to fetch', async () => {
  const large = await makeFolder({ 'one.bin': Buffer.alloc(40 * 1024 * 1024), 'two.bin': Buffer.alloc(40 * 1024 * 1024) })
  await expect(listShell(large, ['**'], never)).rejects.toMatchObject({ code: 'input-invalid' })
  expect(await listed(large, ['one.bin'])).toEqual(['one.bin'])
  const many = await makeFolder(Object.fromEntries(Array.from({ length: 2001 }, (_, i) => [`${i}.txt`, ''])))
  await expect(listShell(many, ['**'], never)).rejects.toMatchObject({ code: 'input-invalid' })
})

test('says which folder is not there', async () => {
  const dir = join(await temporaryFolder(), 'public')
  await expect(listShell(dir, ['**'], never)).rejects.toMatchObject({ code: 'input-invalid', failure: { path: dir } })
})

test('a caller that stops gets its own reason', async () => {
  const reason = new Error('enough')
  await expect(listShell(await makeFolder(FILES), ['**'], AbortSignal.abort(reason))).rejects.toBe(reason)
})

test.each([
  ['a b.html', 'a%20b.html'],
  ['100%.html', '100%25.html'],
  ['what?.html', 'what%3F.html'],
  ['#1.html', '%231.html'],
  ['logo@2x.png', 'logo@2x.png'],
  ['grün/é.svg', 'gr%C3%BCn/%C3%A9.svg'],
  ['a:b.html', './a:b.html'],
])('%j stands in the list as %j', (path, url) => {
  expect(shellEntry(path, new Uint8Array()).url).toBe(url)
})

test('a name that ends in a blank keeps it in its URL', () => {
  expect(shellEntry('assets/a ', new Uint8Array()).url).toBe('assets/a%20')
})

test('every URL leads from the folder of the worker to the path that a browser asks for', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => /^[^./\\\0\t\n\r][^/\\\0\t\n\r]*$/.test(text))
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (names) => {
      const resolved = new URL(shellEntry(names.join('/'), new Uint8Array()).url, 'https://portal.test/app/sw.js')
      expect(resolved.origin + resolved.search + resolved.hash).toBe('https://portal.test')
      expect(decodeURIComponent(resolved.pathname)).toBe(`/app/${names.join('/')}`)
    }),
  )
})

describe('the script with its list', () => {
  const entries = [shellEntry('b.js', Buffer.from('b')), shellEntry('a.js', Buffer.from('a'))]

  test('holds the list, in order, and then the script as it was built', () => {
    const [first = '', ...rest] = withShell(SCRIPT, entries).split('\n')
    expect(JSON.parse(/^\{self\.sealiftShell=(.*);$/.exec(first)?.[1] ?? '')).toEqual(entries.toReversed())
    expect(rest.join('\n')).toBe(`${SCRIPT}\n}`)
  })

  test('is the same however often and from whichever order it is made', () => {
    const once = withShell(SCRIPT, entries)
    expect(withShell(once, entries.toReversed())).toBe(once)
    expect(withShell(withShell(SCRIPT, []), entries)).toBe(once)
    expect(withoutShell(once)).toBe(SCRIPT)
  })

  test('cut short anywhere, no browser installs it', () => {
    const script = withShell(SCRIPT, entries)
    for (let end = 1; end < script.length; end++) expect([end, installs(script.slice(0, end))]).toEqual([end, false])
    expect(installs(script)).toBe(true)
  })
})

/** What parses installs, unless the guard is there, which `work` sets up, and was not told that the end has come. */
function installs(script: string): boolean {
  let isGuarded = false
  const scope = { sealiftComplete: false, sealiftShell: undefined }
  try {
    runInNewContext(script, { self: scope, work: () => (isGuarded = true) })
  } catch {
    return false
  }
  return scope.sealiftComplete || !isGuarded
}
