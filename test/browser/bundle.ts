import { fileURLToPath } from 'node:url'
import { build } from 'vite'

/** One classic script, in memory, of a TypeScript entry beside this file: as a worker or a page can load it. */
export async function bundleScript(entry: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      target: 'es2022',
      minify: false,
      write: false,
      modulePreload: false,
      lib: { entry: fileURLToPath(new URL(entry, import.meta.url)), name: 'bundle', formats: ['iife'], fileName: 'bundle' },
    },
  })
  const outputs = 'close' in result ? [] : [result].flat().flatMap((one) => one.output)
  const chunk = outputs.find((one) => one.type === 'chunk')
  if (chunk === undefined) throw new Error(`the build of ${entry} gave no script`)
  return chunk.code
}
