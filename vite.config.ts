import './scripts/node20.mjs'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { BuildEnvironmentOptions, PluginOption } from 'vite'
import { defineConfig } from 'vitest/config'
import { sigstoreShims } from './scripts/sigstore-plugin.mjs'
import { terserPass } from './scripts/terser-plugin.mjs'
import { shimsProject } from './test/shims/project.mjs'
import { simplePeerShims } from './scripts/simple-peer-plugin.mjs'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** One file that runs by itself: a service worker may not `import()`, and a worker should not need to. */
function script(entry: string, fileName: string, footer = ''): { readonly consumer: 'client'; readonly build: BuildEnvironmentOptions } {
  return {
    consumer: 'client',
    build: {
      ...everywhere,
      lib: { entry: at(entry), formats: ['iife'], name: 'sealift', fileName: () => fileName },
      rolldownOptions: { plugins: [terserPass()], output: { codeSplitting: false, minify: true, footer } },
    },
  }
}

/** What a page needs at once and what it loads later needs too: one file instead of four, and fewer bytes. */
const SHARED = /\/src\/core\/(?:errors|limits|clock|or-aborted|json\/.*|model\/(?:ids|artifact))\.ts$/

/** A module for bundlers and script tags; what it loads later lies in `chunks/`, under names that stay. */
function module(entry: string, fileName: string): { readonly consumer: 'client'; readonly build: BuildEnvironmentOptions } {
  return {
    consumer: 'client',
    build: {
      ...everywhere,
      lib: { entry: at(entry), formats: ['es'], fileName: () => fileName },
      rolldownOptions: {
        plugins: [terserPass()],
        output: {
          chunkFileNames: 'chunks/[name].js',
          minify: true,
          codeSplitting: { groups: [{ name: 'shared', test: SHARED, minShareCount: 2 }] },
        },
      },
    },
  }
}

const everywhere: BuildEnvironmentOptions = {
  outDir: at('dist'),
  emptyOutDir: false,
  copyPublicDir: false,
  target: 'es2022',
  sourcemap: true,
}

const aliases = {
  'sealift/protocol': at('src/core/protocol.ts'),
  'sealift/page': at('src/page/index.ts'),
}

/** Laid beside its script as it is: the page has to work from any server and at any path. */
const conformancePage: PluginOption = {
  name: 'sealift:conformance-page',
  applyToEnvironment: ({ name }) => name === 'conformance',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'conformance/index.html', source: readFileSync(at('src/conformance/index.html')) })
  },
}

/** The element loads the SDK from the file beside it, which a page that calls the SDK itself has loaded already. */
const pageBeside: PluginOption = {
  name: 'sealift:page-beside',
  enforce: 'pre',
  applyToEnvironment: ({ name }) => name === 'element',
  resolveId: (source) => (source === '../page/index.ts' ? { id: './page.js', external: 'relative' } : undefined),
}

const plugins: PluginOption[] = [pageBeside, sigstoreShims(), simplePeerShims(), conformancePage]

export default defineConfig({
  root: at('demo'),
  publicDir: false,
  plugins,
  // Workbox keeps its development branches, and reads `process`, unless it is told.
  define: { 'process.env.NODE_ENV': JSON.stringify('production') },
  resolve: { alias: aliases },
  environments: {
    client: { build: { outDir: at('dist/demo-site'), emptyOutDir: true, target: 'es2022', sourcemap: true } },
    page: module('src/page/index.ts', 'page.js'),
    element: module('src/element/index.ts', 'element.js'),
    storage: module('src/storage/index.ts', 'storage.js'),
    hasher: script('src/engine/hash-worker.ts', 'chunks/hasher.js'),
    files: script('src/engine/file-worker.ts', 'chunks/files.js'),
    trustRefresh: module('src/trust-refresh/index.ts', 'trust-refresh.js'),
    workerLibrary: module('src/worker/index.ts', 'worker.js'),
    // The last line proves that the script arrived whole: see `src/worker/lifecycle.ts`.
    serviceWorker: script('src/worker/sw.ts', 'sw.js', 'self.sealiftComplete=true;'),
    killSwitch: script('src/worker/noop-sw.ts', 'noop-sw.js'),
    engine: script('src/engine/worker.ts', 'engine.js'),
    conformance: script('src/conformance/script.ts', 'conformance/verify.js'),
  },
  builder: {
    async buildApp(builder) {
      for (const environment of Object.values(builder.environments)) {
        if (environment.name !== 'ssr') await builder.build(environment)
      }
    },
  },
  test: {
    root: at('.'),
    // A case is known by its whole name, in a failure and in test/weaknesses/.
    taskTitleValueFormatTruncate: 0,
    // Vitest leaves a core to itself, which is half of a small machine. Browsers come when all else is done: they are what time is short for.
    maxWorkers: availableParallelism(),
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          environment: 'node',
          // Property tests take seconds, and more on a busy machine; a test that hangs still ends.
          testTimeout: 30_000,
          include: ['test/**/*.test.ts'],
          exclude: ['test/browser/**', 'test/drills/**', 'test/dom/**', 'test/shims/**'],
        },
      },
      { extends: true, test: { name: 'dom', environment: 'happy-dom', include: ['test/dom/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'browser',
          environment: 'node',
          include: ['test/browser/**/*.test.ts'],
          sequence: { groupOrder: 1 },
          // They wait for each other's timers and connections more than for a core.
          maxWorkers: availableParallelism() + 1,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      shimsProject,
    ],
  },
})
