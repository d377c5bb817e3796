import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { DeliveryError } from '../core/errors.ts'
import { encodeSiteConfig } from '../core/manifest/encode-site-config.ts'
import { parseSiteConfig } from '../core/manifest/parse-site-config.ts'
import type { SiteConfig } from '../core/manifest/site-config.ts'
import { errorCode, writeFileDurably } from './durable-file.ts'
import { packageRoot } from './package-root.ts'
import { inOrder, listShell, shellEntry, withoutShell, withShell, type ShellEntry } from './shell-list.ts'

export interface InitOptions {
  /** Folder that the portal's own origin serves. */
  readonly publicDir: string
  /** What `sealift.json` is to say. Undefined: the scripts alone are copied. */
  readonly config: SiteConfig | undefined
  /**
   * Patterns of files below the public folder that the worker keeps, beside the scripts, so that the portal opens while its origin is down.
   * Undefined: none, and not the scripts either.
   */
  readonly shell?: readonly string[] | undefined
  /** Overwrite files that differ. Default false. */
  readonly force?: boolean | undefined
  /** Where the built scripts are. Default: in this package. */
  readonly scriptsDir?: string | undefined
}

export interface InitReport {
  /** Names below the public folder. */
  readonly written: readonly string[]
  /** Already there with these very bytes. */
  readonly unchanged: readonly string[]
  /** What the worker keeps. */
  readonly shell: readonly ShellEntry[]
  /**
   * The line of HTML with which a page has the element. Its digest covers `element.js` alone, not what that loads from the same origin. Where
   * the script is another one than before, the tag in the pages has to be replaced: with the old one visitors get the plain, unverified link.
   */
  readonly elementTag: string
}

/** What a page needs on its own origin, and the worker that takes Sealift away again. */
const SCRIPTS = ['sw.js', 'engine.js', 'page.js', 'element.js', 'noop-sw.js'] as const
const CONFIG = 'sealift.json'
const WORKER = 'sw.js'
const ELEMENT = 'element.js'
const KILL_SWITCH = 'noop-sw.js'
/** For sites that name a repository of trusted roots: no other's visitors are to fetch it beforehand. */
const TRUST_REFRESH = 'trust-refresh.js'

/**
 * Copies the scripts, with all that they import, and writes `sealift.json`. Looks at every file before it writes one. Run again after a
 * deployment it lists the shell anew: the worker's script changes with it, and browsers fetch what is new.
 * @throws {DeliveryError} `input-invalid` when a file is there with other bytes and `force` is not set, or for a pattern that `listShell`
 * refuses; `tool-missing` when the package was not built
 * @example
 * const { written, elementTag } = await initSite({ publicDir: 'public', config: undefined, force: true }, AbortSignal.timeout(60_000))
 * console.log(written, elementTag)
 */
export async function initSite(options: InitOptions, signal: AbortSignal): Promise<InitReport> {
  const scripts = await collectScripts(options.scriptsDir ?? join(packageRoot(), 'dist'))
  const shell = await shellOf(options, scripts, signal)
  const { files, changed } = await compare(options, toFiles(options, scripts, shell))
  for (const name of changed) {
    signal.throwIfAborted()
    await writeFileDurably(join(options.publicDir, name), files.get(name) ?? new Uint8Array(), { mode: 0o644 })
  }
  const unchanged = [...files.keys()].filter((name) => !changed.includes(name))
  return { written: changed, unchanged, shell, elementTag: elementTag(scripts.get(ELEMENT) ?? new Uint8Array()) }
}

function elementTag(script: Uint8Array): string {
  const integrity = createHash('sha384').update(script).digest('base64')
  return `<script type="module" src="/${ELEMENT}" integrity="sha384-${integrity}"></script>`
}

async function shellOf(
  { publicDir, shell, config }: InitOptions,
  scripts: ReadonlyMap<string, Uint8Array>,
  signal: AbortSignal,
): Promise<readonly ShellEntry[]> {
  if (shell === undefined) return []
  const usesRefresh = (config ?? (await readConfig(publicDir)))?.trust.refresh !== undefined
  const left = new Set([WORKER, KILL_SWITCH, ...(usesRefresh ? [] : [TRUST_REFRESH])])
  const ours = [...scripts].filter(([name]) => !left.has(name)).map(([name, bytes]) => shellEntry(name, bytes))
  // Ours last: what lies there now is about to be replaced.
  return inOrder([...(await listShell(publicDir, shell, signal)), ...ours])
}

/** What is there already, if it can be read. */
async function readConfig(publicDir: string): Promise<SiteConfig | undefined> {
  const bytes = await readIfThere(join(publicDir, CONFIG))
  try {
    return bytes && parseSiteConfig(bytes, 'https://only-absolute-urls.invalid/')
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error
    return undefined
  }
}

/** Every file in the order to write them: the worker last, so that no browser installs it before what it lists is there. */
function toFiles(
  options: InitOptions,
  scripts: ReadonlyMap<string, Uint8Array>,
  shell: readonly ShellEntry[],
): ReadonlyMap<string, Uint8Array> {
  const files = new Map(scripts)
  if (options.config !== undefined) files.set(CONFIG, encodeSiteConfig(options.config))
  const worker = Buffer.from(files.get(WORKER) ?? '')
  files.delete(WORKER)
  return files.set(WORKER, options.shell === undefined ? worker : Buffer.from(withShell(worker.toString('utf8'), shell)))
}

interface Comparison {
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly changed: readonly string[]
}

async function compare(options: InitOptions, files: ReadonlyMap<string, Uint8Array>): Promise<Comparison> {
  const changed: string[] = []
  for (const [name, bytes] of files) {
    const path = join(options.publicDir, name)
    const found = await readIfThere(path)
    if (found !== undefined && Buffer.compare(found, bytes) === 0) continue
    if (found !== undefined && options.force !== true && !(name === WORKER && isOtherListOnly(options, found, bytes))) {
      throw new DeliveryError({ code: 'input-invalid', path, detail: 'is there already and differs; --force overwrites it' })
    }
    changed.push(name)
  }
  return { files, changed }
}

/** The worker of this very package with another list: refreshing it is what `--shell` asks for. Leaving the list out is not. */
function isOtherListOnly({ shell }: InitOptions, found: Buffer, bytes: Uint8Array): boolean {
  return shell !== undefined && withoutShell(found.toString('utf8')) === withoutShell(Buffer.from(bytes).toString('utf8'))
}

/** The scripts and, followed from one to the next, the modules that they name by relative path. */
async function collectScripts(dir: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>()
  const waiting: string[] = [...SCRIPTS]
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    if (found.has(name)) continue
    const bytes = await readIfThere(join(dir, name))
    if (bytes === undefined)
      throw new DeliveryError({ code: 'tool-missing', tool: name, detail: `it is not in ${dir}; build the package first` })
    found.set(name, bytes)
    waiting.push(...(await importsOf(dir, name, bytes)))
  }
  return found
}

async function importsOf(dir: string, name: string, bytes: Buffer): Promise<readonly string[]> {
  const named = [...bytes.toString('utf8').matchAll(/["'`](\.{1,2}\/[\w./-]+\.js)["'`]/g)].map(([, specifier = '']) => specifier)
  const paths = named.map((specifier) =>
    relative(dir, join(dir, dirname(name), specifier))
      .split(sep)
      .join('/'),
  )
  const inside = paths.filter((path) => !path.startsWith('..'))
  const isThere = await Promise.all(inside.map(async (path) => (await readIfThere(join(dir, path))) !== undefined))
  return inside.filter((_, i) => isThere[i])
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw new DeliveryError({ code: 'input-invalid', path, detail: 'cannot be read' }, { cause: error })
  }
}
