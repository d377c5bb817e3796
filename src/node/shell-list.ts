import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DeliveryError } from '../core/errors.ts'
import { errorCode } from './durable-file.ts'

/** One file that the service worker keeps, so that the portal opens while its origin is down. */
export interface ShellEntry {
  /** Relative to the folder of the worker's script, escaped as a browser does it. */
  readonly url: string
  /** Changes with the content: the first 128 bits of its SHA-256, in hex. */
  readonly revision: string
}

/** What a page needs of Sealift itself: without these files a kept portal could fetch nothing. */
export const SHELL_SCRIPTS = ['page.js', 'engine.js', 'chunks/*.js'] as const

/** The worker cannot list itself, and a kept configuration could not be changed; the engine keeps one of its own. */
const NEVER_LISTED: ReadonlySet<string> = new Set(['sw.js', 'noop-sw.js', 'sealift.json'])

/** Every visitor fetches all of it once: a pattern that takes in the releases beside the portal is a mistake. */
const SHELL_BYTES = 64 * 1024 * 1024
const SHELL_FILES = 2000

/**
 * The files below `publicDir` that match any of `patterns`, in the order of their URLs. Hidden files, source maps, the worker itself and
 * `sealift.json` are left out.
 *
 * @param patterns paths with `/`, relative to `publicDir`; `*` and `?` stand for characters of one name, `**` for any number of folders
 * @throws {DeliveryError} `input-invalid` for a pattern that leaves the folder or matches nothing, and for more than 2000 files or 64 MiB
 * @example
 * console.log(await listShell('public', ['index.html', 'assets/**'], AbortSignal.timeout(60_000)))
 */
export async function listShell(publicDir: string, patterns: readonly string[], signal: AbortSignal): Promise<readonly ShellEntry[]> {
  const paths = new Set<string>()
  for (const pattern of patterns) {
    const matches = await matchesBelow({ dir: publicDir, below: '' }, toSegments(pattern), signal)
    if (matches.length === 0) throw invalid(pattern, `matches no file to keep in ${publicDir}`)
    for (const path of matches) paths.add(path)
  }
  if (paths.size > SHELL_FILES) throw tooMuch(publicDir, `${paths.size} files, and at most ${SHELL_FILES} are kept`)
  const entries: ShellEntry[] = []
  let sizeBytes = 0
  for (const path of paths) {
    signal.throwIfAborted()
    const bytes = await read(join(publicDir, path))
    sizeBytes += bytes.length
    if (sizeBytes > SHELL_BYTES) throw tooMuch(publicDir, `more than ${SHELL_BYTES} bytes`)
    entries.push(shellEntry(path, bytes))
  }
  return inOrder(entries)
}

/** @param path with `/`, relative to the folder of the worker's script */
export function shellEntry(path: string, bytes: Uint8Array): ShellEntry {
  return { url: toUrl(path), revision: createHash('sha256').update(bytes).digest('hex').slice(0, 32) }
}

/** Entries in one order on every machine, the later of two with one URL. */
export function inOrder(entries: readonly ShellEntry[]): readonly ShellEntry[] {
  const byUrl = new Map(entries.map((entry) => [entry.url, entry]))
  return [...byUrl.values()].toSorted((a, b) => (a.url < b.url ? -1 : 1))
}

const OPENING = /^\{self\.sealiftShell=\[.*\];\n/
const CLOSING = '\n}'

/**
 * The service worker's script with the list before it, in place of one that is there. Both stand in one block: cut short on its way, a block
 * does not parse, whereas a list that arrived alone would install as a worker that answers nothing.
 * @example
 * import { readFile, writeFile } from 'node:fs/promises'
 *
 * const script = await readFile('public/sw.js', 'utf8')
 * const entries = await listShell('public', ['index.html', 'assets/**'], AbortSignal.timeout(60_000))
 * await writeFile('public/sw.js', withShell(script, entries))
 */
export function withShell(script: string, entries: readonly ShellEntry[]): string {
  return `{self.sealiftShell=${JSON.stringify(inOrder(entries))};\n${withoutShell(script)}${CLOSING}`
}

/** The script as it was built. */
export function withoutShell(script: string): string {
  return OPENING.test(script) && script.endsWith(CLOSING) ? script.replace(OPENING, '').slice(0, -CLOSING.length) : script
}

/** One name of a pattern; `anything` is any number of folders. */
type Segment = RegExp | 'anything'

function toSegments(pattern: string): readonly Segment[] {
  const names = pattern.split('/')
  if (/^[a-z]:|\\|\0/i.test(pattern)) throw invalid(pattern, 'is no relative path with /')
  if (names.some((name) => name === '' || name === '.' || name === '..')) throw invalid(pattern, 'leaves the folder, or has an empty name')
  // At the end `**` means every file below, and not the folder itself; twice in a row it means what it means once.
  const all = (names.at(-1) === '**' ? [...names, '*'] : names).filter((name, at) => name !== '**' || names[at - 1] !== '**')
  return all.map((name) => (name === '**' ? 'anything' : toExpression(name)))
}

function toExpression(name: string): RegExp {
  const source = name
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll(/\*+/g, '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`, 'su')
}

interface Place {
  readonly dir: string
  /** Path below it, empty or with `/` at its end. */
  readonly below: string
}

async function matchesBelow({ dir, below }: Place, segments: readonly Segment[], signal: AbortSignal): Promise<readonly string[]> {
  signal.throwIfAborted()
  const found: string[] = []
  for (const entry of await readNames(join(dir, below))) {
    const path = below + entry.name
    if (entry.name.startsWith('.')) continue
    if (entry.isDirectory()) {
      for (const rest of descend(segments, entry.name)) found.push(...(await matchesBelow({ dir, below: `${path}/` }, rest, signal)))
    } else if (isMatch(segments, entry.name) && isKept(path) && (await isFile(join(dir, path)))) found.push(path)
  }
  return found
}

/** What is left of a pattern inside the folder `name`: nothing, one rest, or with `**` several. */
function descend(segments: readonly Segment[], name: string): readonly (readonly Segment[])[] {
  const [first, ...rest] = segments
  if (first === undefined) return []
  if (first === 'anything') return [segments, ...descend(rest, name)]
  return first.test(name) ? [rest] : []
}

function isMatch(segments: readonly Segment[], name: string): boolean {
  const last = segments.findIndex((segment) => segment !== 'anything')
  const segment = segments[last]
  return last === segments.length - 1 && segment !== undefined && segment !== 'anything' && segment.test(name)
}

function isKept(path: string): boolean {
  return !NEVER_LISTED.has(path) && !path.endsWith('.map')
}

/** As the URL of a request will read; a colon in the first name would make it the scheme of an absolute one. */
function toUrl(path: string): string {
  // Blanks and control characters too: at the end of a URL they are cut off.
  const escaped = path.replaceAll(/[%?#\p{Cc} ]/gu, encodeURIComponent)
  const { pathname } = new URL(`./${escaped}`, 'https://scope.invalid/')
  return /^\/[^/]*:/.test(pathname) ? `.${pathname}` : pathname.slice(1)
}

async function readNames(dir: string) {
  try {
    return await readdir(dir, { withFileTypes: true })
  } catch (error) {
    throw invalid(dir, errorCode(error) === 'ENOENT' ? 'there is no such folder' : 'cannot be read as a folder', error)
  }
}

/** A link to a file counts as one: the origin serves it as well. */
async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    throw invalid(path, 'cannot be read', error)
  }
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw invalid(path, 'cannot be read', error)
  }
}

function tooMuch(dir: string, what: string): DeliveryError {
  return invalid(dir, `the patterns take in ${what}; every visitor fetches all of it`)
}

function invalid(path: string, detail: string, cause?: unknown): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail }, { cause })
}
