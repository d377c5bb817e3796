import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, relative, sep } from 'node:path'
import { plantInto } from './plant.ts'
import type { Weakness } from './weakness.ts'

/** A copy of the sources to break. The working tree is only read. */
export interface ScratchTree {
  readonly dir: string
  /** Breaks the copy for as long as `act` runs. @throws {TypeError} when the row is stale */
  withPlanted<T>(weakness: Weakness, act: () => Promise<T>): Promise<T>
  remove(): Promise<void>
}

/** Made anew by whoever needs it, or not ours. */
const LEFT_OUT: ReadonlySet<string> = new Set(['node_modules', 'dist', '.git', '.sealift', 'coverage'])

export async function createScratchTree(root: string): Promise<ScratchTree> {
  const dir = await mkdtemp(join(tmpdir(), 'sealift-weakness-'))
  await cp(root, dir, { recursive: true, filter: (path) => !LEFT_OUT.has(relative(root, path).split(sep)[0] ?? '') })
  await linkPackages(join(root, 'node_modules'), join(dir, 'node_modules'))
  return {
    dir,
    async withPlanted(weakness, act) {
      const path = join(dir, weakness.file)
      const good = await readFile(path, 'utf8')
      await writeFile(path, plantInto(good, weakness))
      try {
        return await act()
      } finally {
        await writeFile(path, good)
      }
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  }
}

/** A folder of links, not a link to the folder: Vitest keeps what it made of packages in there, weakness included. */
async function linkPackages(from: string, to: string): Promise<void> {
  await mkdir(to)
  const names = (await readdir(from)).filter((name) => name === '.bin' || !basename(name).startsWith('.'))
  for (const name of names) await symlink(join(from, name), join(to, name), 'junction')
}
