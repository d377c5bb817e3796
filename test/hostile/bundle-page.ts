import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type PluginOption } from 'vite'
import { packageRoot } from '../../src/node/package-root.ts'

/** The script of test/browser/hostile-page.ts, in memory. From its source, so that drills and tests get the same. */
export async function bundleHostilePage(): Promise<string> {
  const root = packageRoot()
  // Compiled tests lie elsewhere than their sources, and scripts are not compiled.
  const shims: { simplePeerShims(): PluginOption } = await import(pathToFileURL(join(root, 'scripts', 'simple-peer-plugin.mjs')).href)
  const result = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [shims.simplePeerShims()],
    build: {
      target: 'es2022',
      minify: true,
      write: false,
      modulePreload: false,
      lib: { entry: join(root, 'test', 'browser', 'hostile-page.ts'), name: 'bundle', formats: ['iife'], fileName: 'bundle' },
    },
  })
  const outputs = 'close' in result ? [] : [result].flat().flatMap((one) => one.output)
  const chunk = outputs.find((one) => one.type === 'chunk')
  if (chunk === undefined) throw new Error('the build gave no script')
  return chunk.code
}
