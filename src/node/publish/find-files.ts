import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import { errorCode } from '../durable-file.ts'
import { readInput } from '../input-file.ts'
import { BESIDE, bundlesBeside, DOWNLOADED } from './beside.ts'
import { describeFile, type FileSettings, type PublishFile } from './publish-file.ts'
import { readPublishSettings, SETTINGS_FILE } from './publish-settings.ts'

/**
 * The files of a folder and its subfolders, in the order of their paths: all but `sealift.publish.json`, hidden files and
 * the bundles that lie beside what they sign (see `beside.ts`). A link to a file counts as one.
 *
 * @param overrides for every file; they win over what sealift.publish.json says
 * @throws {DeliveryError} `input-invalid`
 */
export async function findFiles(dir: string, overrides: FileSettings, signal: AbortSignal): Promise<readonly PublishFile[]> {
  const { defaults, files } = await readPublishSettings(dir)
  const paths = await listFiles(dir, '', signal)
  const artifacts = paths.filter((path) => path !== SETTINGS_FILE && !BESIDE.test(path) && !DOWNLOADED.test(basename(path)))
  for (const name of files.keys()) {
    if (!artifacts.includes(name)) throw invalid(join(dir, SETTINGS_FILE), `names ${JSON.stringify(name)}, which is not in the folder`)
  }
  const orphan = paths.find((path) => BESIDE.test(path) && !artifacts.includes(path.replace(BESIDE, '')))
  if (orphan !== undefined) throw invalid(join(dir, orphan), 'is a bundle without the file that it signs')
  if (artifacts.length === 0) throw invalid(dir, 'holds no file to publish')
  return artifacts.map((path) => {
    const found = {
      path: join(dir, path),
      filename: basename(path),
      bundlePaths: bundlesBeside(join(dir, path)),
    }
    return describeFile(found, defaults, files.get(path) ?? {}, overrides)
  })
}

async function listFiles(dir: string, below: string, signal: AbortSignal): Promise<readonly string[]> {
  signal.throwIfAborted()
  const names = await readNames(join(dir, below))
  const lists: (readonly string[])[] = []
  for (const entry of names) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    if (entry.name.startsWith('.')) continue
    if (entry.isDirectory()) lists.push(await listFiles(dir, path, signal))
    else if ((await readInput(join(dir, path), (file) => stat(file))).isFile()) lists.push([path])
  }
  return lists.flat()
}

async function readNames(dir: string) {
  try {
    const entries = await readdir(dir, { withFileTypes: true })
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  } catch (error) {
    throw invalid(dir, errorCode(error) === 'ENOENT' ? 'there is no such folder' : 'cannot be read as a folder', error)
  }
}

function invalid(path: string, detail: string, cause?: unknown): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail }, { cause })
}
