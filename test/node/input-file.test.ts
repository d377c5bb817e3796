import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cutFile } from '../../src/node/publish/cut.ts'
import { findFiles } from '../../src/node/publish/find-files.ts'
import { readGivenBundles } from '../../src/node/publish/given-bundles.ts'
import { sha256OfFile } from '../../src/node/signing/content.ts'
import { readSigningKey } from '../../src/node/signing/signing-key.ts'
import { never } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'

test.each<[string, (path: string) => Promise<unknown>]>([
  ['cut', (path) => cutFile(path, {}, never)],
  ['hashed', (path) => sha256OfFile(path, never)],
  ['read as a bundle', (path) => readGivenBundles([path])],
  ['read as a key', (path) => readSigningKey(path)],
])('a file that is not there and is to be %s is a fault of the input, with the word of the system', async (_, read) => {
  const path = join(await temporaryFolder(), 'absent')
  const failure = { code: 'input-invalid', path, detail: 'there is no such file' }
  await expect(read(path)).rejects.toMatchObject({ failure, cause: { code: 'ENOENT' } })
})

test.each<[string, (path: string) => Promise<unknown>]>([
  ['a bundle', (path) => readGivenBundles([path])],
  ['a file to hash', (path) => sha256OfFile(path, never)],
])('a folder in the place of %s is a fault of the input', async (_, read) => {
  const path = await temporaryFolder()
  await expect(read(path)).rejects.toMatchObject({ failure: { code: 'input-invalid', path }, cause: { code: 'EISDIR' } })
})

test('a link that leads nowhere is named before anything is published', async () => {
  const dir = await temporaryFolder()
  await symlink(join(dir, 'absent'), join(dir, 'agent-1.2.3.zip'))
  const failure = { code: 'input-invalid', path: join(dir, 'agent-1.2.3.zip') }
  await expect(findFiles(dir, {}, never)).rejects.toMatchObject({ failure })
})
