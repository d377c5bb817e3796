import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync } from 'vite'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Who may import which folder of ours. A folder may always import itself; nothing else is allowed. The longest match owns a file. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  'src/core': [],
  'src/sources/http': ['src/core'],
  'src/sources/mesh': ['src/core'],
  'src/stores': ['src/core'],
  'src/trust': ['src/core'],
  'src/conformance': ['src/core', 'src/trust'],
  'src/tuf': ['src/core'],
  // What a page or an engine may load besides: never part of either.
  'src/trust-refresh': ['src/core', 'src/stores', 'src/tuf'],
  'src/bridge': ['src/core'],
  'src/scheduler': ['src/core'],
  'src/engine': ['src/core', 'src/sources/http', 'src/stores', 'src/trust', 'src/bridge', 'src/scheduler'],
  'src/worker': ['src/core', 'src/engine', 'src/bridge'],
  'src/page': ['src/core', 'src/sources/mesh', 'src/sources/http', 'src/bridge'],
  // Its own file, which loads the page's.
  'src/element': ['src/core', 'src/page'],
  'src/storage': ['src/core', 'src/stores', 'src/page'],
  'src/node': ['src/core', 'src/scheduler', 'src/sources/http', 'src/sources/mesh', 'src/stores', 'src/trust', 'src/bridge'],
  // Downloads without a browser, by the engine that browsers have. Nothing else of Node may know it.
  'src/node/get': ['src/core', 'src/engine', 'src/node', 'src/stores', 'src/tuf'],
  'src/cli': ['src/core', 'src/node', 'signaling'],
  signaling: ['src/core/protocol.ts'],
  // The demo runs the signaling server in its own process, so that its switches can take it down.
  demo: ['signaling'],
  bench: ['src', 'signaling', 'test', 'scripts'],
  test: ['src', 'signaling', 'demo', 'bench', 'scripts'],
  scripts: ['demo', 'bench', 'test', 'dist'],
}

/** Each package has its owners, so that replacing it touches one folder. Tests and scripts may use what they test with. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'simple-peer': ['src/sources/mesh'],
  idb: ['src/stores'],
  '@sigstore/mock': ['src/node/authority'],
  '@sigstore/*': ['src/trust'],
  '@noble/curves': ['src/trust'],
  '@noble/hashes': ['src/core', 'src/trust', 'src/tuf', 'src/engine'],
  '@tufjs/models': ['src/tuf'],
  'hash-wasm': ['src/engine'],
  'workbox-*': ['src/worker'],
  ws: ['signaling', 'src/node'],
  commander: ['src/cli'],
  'puppeteer-core': ['src/node'],
  '@redis/client': ['signaling'],
  '@roamhq/wrtc': ['src/node/seed'],
  uqr: ['src/page'],
  sealift: ['demo', 'signaling'],
  'node:*': ['src/node', 'src/cli', 'signaling', 'demo'],
}
const TOOLING = ['test', 'bench', 'scripts']

interface Module {
  readonly path: string
  readonly code: string
}

/** Every specifier that a module names, in whatever way: value, type, re-export, side effect, dynamic, or a type by `import()`. */
function specifiersOf({ path, code }: Module): readonly string[] {
  const { module, errors } = parseSync(path, code)
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0]?.message}`)
  const statically = module.staticImports.map((one) => one.moduleRequest.value)
  const again = module.staticExports.flatMap((one) => one.entries.flatMap((entry) => entry.moduleRequest?.value ?? []))
  const called = [...code.matchAll(/\b(?:import|require)\(\s*(['"`])([^'"`]+)\1/g)].map((match) => match[2] ?? '')
  const byUrl = [...code.matchAll(/new URL\(\s*(['"])(\.[^'"]+\.[mc]?[jt]s)\1,\s*import\.meta\.url/g)].map((match) => match[2] ?? '')
  return [...new Set([...statically, ...again, ...called, ...byUrl])]
}

/** What is wrong with the imports of one module, in words. */
function breachesOf(module: Module): readonly string[] {
  return specifiersOf(module).flatMap((specifier) => {
    const verdict = specifier.startsWith('.') ? judgePath(module.path, specifier) : judgePackage(module.path, specifier)
    return verdict === undefined ? [] : [`${module.path} imports ${specifier}: ${verdict}`]
  })
}

function judgePath(from: string, specifier: string): string | undefined {
  const target = posix.join(posix.dirname(from), specifier)
  const owner = ownerOf(from)
  if (owner === undefined) return 'the table does not name the folder that this module is in'
  const isAllowed = [owner, ...(FOLDERS[owner] ?? [])].some((folder) => isWithin(target, folder))
  return isAllowed ? undefined : `${owner} may not import ${ownerOf(target) ?? target}`
}

function judgePackage(from: string, specifier: string): string | undefined {
  if (TOOLING.some((folder) => isWithin(from, folder))) return undefined
  const name = builtinModules.includes(specifier) ? `node:${specifier}` : specifier
  const rule = Object.keys(PACKAGES).find((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern || name.startsWith(`${pattern}/`),
  )
  if (rule === undefined) return 'no folder owns this package'
  return PACKAGES[rule]?.some((folder) => isWithin(from, folder)) === true ? undefined : `only ${PACKAGES[rule]?.join(', ')} may`
}

function ownerOf(path: string): string | undefined {
  return Object.keys(FOLDERS)
    .filter((folder) => isWithin(path, folder))
    .toSorted((a, b) => b.length - a.length)[0]
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

function readModules(folder: string): readonly Module[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
    posix.join(folder, ...name.split(/[\\/]/)),
  )
  return names
    .filter((name) => /\.(?:ts|mts|mjs)$/.test(name) && name !== 'test/architecture.test.ts')
    .map((path) => ({ path, code: readFileSync(join(ROOT, path), 'utf8') }))
}

const modules = ['src', 'signaling', 'demo', 'bench', 'test', 'scripts'].flatMap(readModules)

test('every module imports only what its layer may', () => {
  expect(modules.length).toBeGreaterThan(40)
  expect(modules.flatMap(breachesOf)).toEqual([])
})

test('every folder that the table names exists', () => {
  const missing = Object.keys(FOLDERS).filter((folder) => folder !== 'bench' && !modules.some((module) => isWithin(module.path, folder)))
  expect(missing).toEqual([])
})

describe('a planted breach is caught', () => {
  test.each([
    ['a value upwards', 'src/core/a.ts', `import { x } from '../scheduler/x.ts'\nx()`],
    ['a type upwards', 'src/core/a.ts', `import type { X } from '../engine/x.ts'\nexport type Y = X`],
    ['an inline type upwards', 'src/core/a.ts', `export type Y = import('../engine/x.ts').X`],
    ['a re-export upwards', 'src/core/a.ts', `export { x } from '../page/x.ts'`],
    ['a re-export of all upwards', 'src/core/a.ts', `export * from '../page/x.ts'`],
    ['a dynamic import upwards', 'src/core/a.ts', `export const y = () => import('../node/x.ts')`],
    ['a side effect upwards', 'src/core/a.ts', `import '../trust/x.ts'`],
    ['a worker by its URL', 'src/page/a.ts', `new Worker(new URL('../engine/worker.ts', import.meta.url))`],
    ['a source that imports another', 'src/sources/http/a.ts', `import { x } from '../mesh/x.ts'\nx()`],
    ['a store that imports a source', 'src/stores/a.ts', `import { x } from '../sources/http/x.ts'\nx()`],
    ['trust that imports a store', 'src/trust/a.ts', `import { x } from '../stores/x.ts'\nx()`],
    ['a scheduler that knows a source', 'src/scheduler/a.ts', `import { x } from '../sources/http/x.ts'\nx()`],
    ['a page that imports the worker', 'src/page/a.ts', `import { x } from '../worker/x.ts'\nx()`],
    ['a worker that imports the mesh', 'src/worker/a.ts', `import { x } from '../sources/mesh/x.ts'\nx()`],
    ['a Node part that imports the engine', 'src/node/a.ts', `import { x } from '../engine/x.ts'\nx()`],
    ['a demo that reaches into the sources', 'demo/portal/a.ts', `import { x } from '../../src/page/index.ts'\nx()`],
    ['signaling that reaches past the protocol', 'signaling/a.ts', `import { x } from '../src/core/limits.ts'\nx()`],
    ['a product that imports a test', 'src/core/a.ts', `import { x } from '../../test/fakes/x.ts'\nx()`],
    ['a folder that the table does not name', 'src/extra/a.ts', `import { x } from '../core/x.ts'\nx()`],
    ['Node in core', 'src/core/a.ts', `import { x } from 'node:fs'\nx()`],
    ['Node without its prefix', 'src/core/a.ts', `import { x } from 'fs'\nx()`],
    ['simple-peer in the page', 'src/page/a.ts', `import Peer from 'simple-peer'\nnew Peer()`],
    ['idb in the engine', 'src/engine/a.ts', `import { openDB } from 'idb'\nopenDB`],
    ['the verifier outside trust', 'src/engine/a.ts', `import { Verifier } from '@sigstore/verify'\nVerifier`],
    ['the repository client in the verifier', 'src/trust/a.ts', `import { x } from '../tuf/x.ts'\nx()`],
    ['the repository client in the engine', 'src/engine/a.ts', `import { x } from '../tuf/x.ts'\nx()`],
    ['the loaded refresh in the engine', 'src/engine/a.ts', `import { x } from '../trust-refresh/index.ts'\nx()`],
    ['the models outside their client', 'src/trust-refresh/a.ts', `import { Metadata } from '@tufjs/models'\nMetadata`],
    ['the offline authority in trust', 'src/trust/a.ts', `import { x } from '@sigstore/mock'\nx()`],
    ['workbox in the page', 'src/page/a.ts', `import { x } from 'workbox-core'\nx()`],
    ['a package by its depth', 'src/page/a.ts', `import { x } from 'workbox-routing/registerRoute.js'\nx()`],
    ['ws in the mesh', 'src/sources/mesh/a.ts', `import { WebSocket } from 'ws'\nWebSocket`],
    ['commander outside the command line', 'src/node/a.ts', `import { Command } from 'commander'\nCommand`],
    ['a package that nobody owns', 'src/node/a.ts', `import x from 'left-pad'\nx()`],
  ])('%s', (_, path, code) => {
    expect(breachesOf({ path, code })).toHaveLength(1)
  })
})

/** In Firefox 153 a worker that starts a worker may stand still for ever: see docs/decisions/0023. */
function startsWorker({ path, code }: Module): boolean {
  return isWithin(path, 'src') && !isWithin(path, 'src/page') && /\bnew (?:Shared)?Worker\(/.test(code)
}

test('nothing but a page starts a worker', () => {
  expect(startsWorker({ path: 'src/engine/a.ts', code: 'const thread = new Worker(url)' })).toBe(true)
  expect(modules.filter((module) => module.path.startsWith('src/page/') && module.code.includes('new Worker('))).not.toEqual([])
  expect(modules.filter(startsWorker).map(({ path }) => path)).toEqual([])
})

describe('a lawful import passes', () => {
  test.each([
    ['src/engine/a.ts', `import { x } from '../stores/x.ts'\nx()`],
    ['src/node/get/a.ts', `import { x } from '../../engine/x.ts'\nx()`],
    ['src/node/authority/a.ts', `import { x } from '@sigstore/mock'\nx()`],
    ['src/sources/mesh/shims/a.ts', `import { x } from '../x.ts'\nx()`],
    ['src/core/verify/a.ts', `import { sha256 } from '@noble/hashes/sha2.js'\nsha256`],
    ['demo/stack/a.ts', `import { x } from 'sealift/node'\nx()`],
    ['signaling/a.ts', `import { x } from '../src/core/protocol.ts'\nx()`],
    ['test/core/a.test.ts', `import { x } from '../../src/core/x.ts'\nx()`],
  ])('%s %s', (path, code) => {
    expect(breachesOf({ path, code })).toEqual([])
  })
})
