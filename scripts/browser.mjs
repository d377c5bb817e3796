// Finds a Chromium for the browser tests and the drill, or gets one. Prints its place as JSON; --install lets it fetch.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { arch, homedir, platform } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'

/**
 * @typedef {object} Browser
 * @property {string} path executable
 * @property {readonly string[]} args that this build needs to start at all
 * @property {Readonly<Record<string, string>>} env to be laid over the environment when it is started
 * @property {'environment' | 'path' | 'standard-place' | 'puppeteer-cache' | 'own-cache'} from where it was found
 */

/** A headless Chromium with the libraries it needs, carried in an npm package: 67 MB, so fetched only where none is installed. */
const CARRIER = '@sparticuz/chromium@153.0.0'
const CHROMIUM_NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'microsoft-edge-stable', 'microsoft-edge']
const FIREFOX_NAMES = ['firefox-esr', 'firefox']
const DOWNLOAD_TIMEOUT_MS = 600_000
/** npm, apt and the rest report on stderr: stdout carries the JSON alone. */
const TO_STDERR = /** @type {const} */ (['ignore', 2, 2])

/** Outside node_modules, because `npm ci` empties that. */
const cacheRoot = () => process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
const ownCache = () => join(cacheRoot(), 'sealift')
const puppeteerCache = () => process.env['PUPPETEER_CACHE_DIR'] || join(homedir(), '.cache', 'puppeteer')

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false // absent and not executable come to the same
  }
}

/** @param {readonly string[]} names */
function firstOnPath(names) {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const suffix = platform() === 'win32' ? '.exe' : ''
  return names.flatMap((name) => folders.map((folder) => join(folder, name + suffix))).find(isExecutable)
}

function standardPlaces() {
  if (platform() === 'darwin') {
    const apps = ['Google Chrome', 'Chromium', 'Microsoft Edge']
    return ['/Applications', join(homedir(), 'Applications')].flatMap((root) =>
      apps.map((app) => join(root, `${app}.app/Contents/MacOS/${app}`)),
    )
  }
  if (platform() !== 'win32') return ['/snap/bin/chromium', '/opt/google/chrome/chrome']
  const roots = ['ProgramFiles', 'ProgramFiles(x86)', 'LOCALAPPDATA'].flatMap((name) => process.env[name] ?? [])
  return roots.flatMap((root) =>
    ['Google/Chrome/Application/chrome.exe', 'Microsoft/Edge/Application/msedge.exe'].map((tail) => join(root, tail)),
  )
}

/** @param {string} folder */
const entriesOf = (folder) =>
  existsSync(folder) ? readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()) : []

/**
 * The layout of that cache is NAME/PLATFORM-BUILD/NAME-PLATFORM/EXECUTABLE. Newest build first.
 * @param {string} root
 */
function inPuppeteerCache(root) {
  const tails = [
    'chrome',
    'chrome.exe',
    'chrome-headless-shell',
    'chrome-headless-shell.exe',
    'Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing',
  ]
  const builds = ['chrome', 'chrome-headless-shell'].flatMap((name) => {
    const versions = entriesOf(join(root, name)).map((entry) => entry.name)
    return versions.toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true })).map((version) => join(root, name, version))
  })
  const folders = builds.flatMap((build) => entriesOf(build).map((entry) => join(build, entry.name)))
  return folders.flatMap((folder) => tails.map((tail) => join(folder, tail))).find(isExecutable)
}

/** @returns {Browser | undefined} */
function inOwnCache() {
  const carried = join(ownCache(), 'chromium', 'chromium')
  if (isExecutable(carried)) {
    const libraries = [join(ownCache(), 'chromium', 'lib'), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':')
    // Without its zygote the carried build needs nothing of the machine but glibc.
    return { path: carried, args: ['--no-zygote'], env: { LD_LIBRARY_PATH: libraries }, from: 'own-cache' }
  }
  const downloaded = inPuppeteerCache(ownCache())
  return downloaded === undefined ? undefined : { path: downloaded, args: [], env: {}, from: 'own-cache' }
}

/**
 * A Chromium, Chrome or Edge on this machine: named by SEALIFT_BROWSER or CHROME_PATH, on PATH, in the usual places of
 * the platform, in the cache of Puppeteer, in our own cache, in this order. Fetches nothing.
 * @returns {Browser | undefined}
 * @throws {Error} when the environment names one that cannot be started: a silent second choice would hide the mistake
 */
export function findBrowser() {
  const named = process.env['SEALIFT_BROWSER'] || process.env['CHROME_PATH']
  if (named) {
    if (!isExecutable(named)) throw new Error(`SEALIFT_BROWSER or CHROME_PATH names ${named}, which cannot be executed.`)
    return { path: named, args: [], env: {}, from: 'environment' }
  }
  const installed = firstOnPath(CHROMIUM_NAMES)
  if (installed !== undefined) return { path: installed, args: [], env: {}, from: 'path' }
  const usual = standardPlaces().find(isExecutable)
  if (usual !== undefined) return { path: usual, args: [], env: {}, from: 'standard-place' }
  const cached = inPuppeteerCache(puppeteerCache())
  if (cached !== undefined) return { path: cached, args: [], env: {}, from: 'puppeteer-cache' }
  return inOwnCache()
}

/**
 * A Firefox on this machine (SEALIFT_FIREFOX, PATH, the usual places), or undefined. Never fetched: its tests are extra.
 * @returns {string | undefined}
 */
export function findFirefox() {
  const named = process.env['SEALIFT_FIREFOX']
  if (named) return named
  const usual =
    platform() === 'darwin'
      ? ['/Applications/Firefox.app/Contents/MacOS/firefox']
      : ['ProgramFiles', 'ProgramFiles(x86)'].flatMap((name) =>
          process.env[name] ? [join(process.env[name], 'Mozilla Firefox/firefox.exe')] : [],
        )
  return firstOnPath(FIREFOX_NAMES) ?? usual.find(isExecutable)
}

/** Unpacks beside the final place and renames, so that an interrupted run never leaves half a browser that looks whole. */
function fetchFromNpm() {
  if (platform() !== 'linux' || arch() !== 'x64') return 'the npm package carries a browser for Linux on x64 only'
  const scratch = join(ownCache(), `unpack-${process.pid}`)
  mkdirSync(join(scratch, 'chromium'), { recursive: true })
  try {
    const flags = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    const npm = spawnSync('npm', ['install', ...flags, '--prefix', scratch, CARRIER], { stdio: TO_STDERR, timeout: DOWNLOAD_TIMEOUT_MS })
    const packed = join(scratch, 'node_modules/@sparticuz/chromium/bin')
    if (npm.status !== 0 || !existsSync(packed)) return `npm could not install ${CARRIER}`
    const archive = join(scratch, 'libraries.tar')
    writeFileSync(archive, brotliDecompressSync(readFileSync(join(packed, 'al2023.tar.br'))))
    execFileSync('tar', ['-xf', archive, '-C', join(scratch, 'chromium')], { stdio: TO_STDERR })
    const executable = join(scratch, 'chromium', 'chromium')
    writeFileSync(executable, brotliDecompressSync(readFileSync(join(packed, 'chromium.br'))))
    chmodSync(executable, 0o755)
    rmSync(join(ownCache(), 'chromium'), { recursive: true, force: true })
    renameSync(join(scratch, 'chromium'), join(ownCache(), 'chromium'))
    return undefined
  } catch (error) {
    return `the npm package could not be unpacked: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** The download of the tool that drives the browser tests. */
function fetchWithTestTool() {
  const cli = testToolCli()
  if (cli === undefined) return 'the test tool is not installed: run npm ci'
  const run = spawnSync(process.execPath, [cli, 'install', 'chrome-headless-shell@stable', '--path', ownCache()], {
    stdio: TO_STDERR,
    timeout: DOWNLOAD_TIMEOUT_MS,
  })
  return run.status === 0 ? undefined : 'the download of the test tool failed'
}

function testToolCli() {
  try {
    const driver = createRequire(import.meta.url).resolve('puppeteer-core')
    const manifest = findUp(dirname(driver), 'node_modules/@puppeteer/browsers/package.json')
    if (manifest === undefined) return undefined
    const { bin } = JSON.parse(readFileSync(manifest, 'utf8'))
    return join(dirname(manifest), typeof bin === 'string' ? bin : bin.browsers)
  } catch {
    return undefined // not installed: the caller says so and goes on
  }
}

/**
 * @param {string} folder
 * @param {string} tail
 * @returns {string | undefined}
 */
function findUp(folder, tail) {
  const file = join(folder, tail)
  if (existsSync(file)) return file
  return dirname(folder) === folder ? undefined : findUp(dirname(folder), tail)
}

function fetchWithApt() {
  if (firstOnPath(['apt-get']) === undefined) return 'this machine has no apt-get'
  if (process.getuid?.() !== 0) return 'apt-get needs root'
  const options = { stdio: TO_STDERR, timeout: DOWNLOAD_TIMEOUT_MS, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  spawnSync('apt-get', ['update'], options)
  const run = spawnSync('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'], options)
  return run.status === 0 ? undefined : 'apt-get could not install chromium'
}

/** @type {readonly (readonly [string, () => string | undefined])[]} */
const WAYS = [
  [`the browser carried in the npm package ${CARRIER}`, fetchFromNpm],
  ['the download of the test tool', fetchWithTestTool],
  ['apt-get', fetchWithApt],
]

/**
 * A browser, fetched if none is here.
 * @returns {Browser}
 * @throws {Error} naming what was tried and what to do
 */
export function getBrowser() {
  const found = findBrowser()
  if (found !== undefined) return found
  const refusals = []
  for (const [name, fetch] of WAYS) {
    console.error(`No Chromium on this machine; trying ${name}.`)
    const refusal = fetch()
    const fetched = findBrowser()
    if (fetched !== undefined) return fetched
    refusals.push(`  - ${name}: ${refusal ?? 'it ran, but left no browser'}`)
  }
  throw new Error(
    `No Chromium was found and none could be fetched.\n${refusals.join('\n')}\n` +
      'Install Chromium, Chrome or Edge, or set SEALIFT_BROWSER to the path of one. The browser tests and the drill need it; nothing else does.',
  )
}

function main() {
  try {
    console.log(JSON.stringify(process.argv.includes('--install') ? getBrowser() : (findBrowser() ?? null)))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main()
