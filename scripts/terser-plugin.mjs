// A second pass over what browsers fetch: Rolldown's own minifier leaves some 1,500 bytes of gzip, more than many of our features cost.

import { basename } from 'node:path'
import { minify } from 'terser'

/** A Vite or Rolldown plugin. */
export function terserPass() {
  return {
    name: 'sealift:terser',
    generateBundle: {
      // Rolldown prints a chunk anew after every earlier hook.
      order: 'post',
      async handler({ format }, bundle) {
        for (const chunk of Object.values(bundle)) {
          if (chunk.type !== 'chunk') continue
          const { code, map } = await minify(chunk.code, {
            module: format === 'es',
            // Function expressions without `this` become arrows: nothing here is called with `new` that is not a class.
            compress: { passes: 3, ecma: 2020, unsafe_arrows: true },
            // It drops the comment that leads to the map, as any other.
            sourceMap: chunk.map === null ? false : { content: chunk.map, asObject: true, url: `${basename(chunk.fileName)}.map` },
          })
          if (code === undefined) throw new Error(`terser gave nothing for ${chunk.fileName}`)
          chunk.code = code
          if (chunk.map !== null && map !== undefined) Object.assign(chunk.map, map)
        }
      },
    },
  }
}
