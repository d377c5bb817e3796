import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { simplePeerShims } from '../../scripts/simple-peer-plugin.mjs'

/** One classic script, in memory, of an entry that uses simple-peer. */
export async function bundleMesh(entry: string): Promise<{ readonly code: string; readonly gzipBytes: number }> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [simplePeerShims()],
    build: {
      target: 'es2022',
      minify: true,
      write: false,
      modulePreload: false,
      lib: { entry: fileURLToPath(new URL(entry, import.meta.url)), name: 'bundle', formats: ['iife'], fileName: 'bundle' },
    },
  })
  const outputs = 'close' in result ? [] : [result].flat().flatMap((one) => one.output)
  const chunk = outputs.find((one) => one.type === 'chunk')
  if (chunk === undefined) throw new Error(`the build of ${entry} gave no script`)
  return { code: chunk.code, gzipBytes: gzipSync(chunk.code).length }
}
