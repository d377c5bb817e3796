import { build } from 'vite'
import { sigstoreShims } from './sigstore-plugin.mjs'

/**
 * One script, in memory, of an entry that uses the Sigstore packages: the way that the engine and the service worker carry them.
 * @param {{ entry: string, name: string, plugins?: import('vite').Plugin[] }} options `name`: the global that holds the entry's exports
 */
export async function bundleForBrowser({ entry, name, plugins = [] }) {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [sigstoreShims(), ...plugins],
    build: {
      target: 'es2022',
      minify: true,
      write: false,
      modulePreload: false,
      lib: { entry, name, formats: ['iife'], fileName: name },
    },
  })
  const [output] = [result].flat()
  const chunk = output?.output[0]
  if (chunk?.type !== 'chunk') throw new Error('the build gave no script')
  return chunk.code
}
