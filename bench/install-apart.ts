import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const INSTALL_MS = 180_000

/**
 * A rival that is nobody's dependency: installed, without scripts, into the folder for temporary files, once.
 * @returns the folder of the package; @throws {Error} that says why it cannot be had
 */
export async function installApart(name: string, version: string): Promise<string> {
  const folder = join(tmpdir(), `sealift-bench-${name}-${version}`)
  const found = join(folder, 'node_modules', name)
  const isThere = await access(join(found, 'package.json')).then(
    () => true,
    () => false,
  )
  if (isThere) return found
  await mkdir(folder, { recursive: true })
  const args = ['install', '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--prefix', folder, `${name}@${version}`]
  const npm = spawn('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], timeout: INSTALL_MS })
  const [said, [status]] = await Promise.all([text(npm.stderr), once(npm, 'close')])
  if (status !== 0) throw new Error(`npm cannot install ${name}@${version}: ${said.trim().split('\n').at(-1) ?? ''}`)
  return found
}
