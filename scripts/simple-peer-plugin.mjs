// Gives simple-peer browser stand-ins for the four Node packages that it asks for, and touches nothing else of a build:
// no alias, no define, no global.

import { fileURLToPath } from 'node:url'

const SIMPLE_PEER = /[\\/]node_modules[\\/]simple-peer[\\/]/
const STAND_INS = new Set(['readable-stream', 'buffer', 'debug', 'randombytes'])
/** What simple-peer takes for the whole module is a named export of the stand-in. */
const EXPORTS = { debug: 'createDebug', randombytes: 'randomBytes' }

/** A Vite, Rolldown or Vitest plugin. */
export function simplePeerShims() {
  return {
    name: 'sealift:simple-peer-shims',
    enforce: 'pre',
    resolveId(source, importer) {
      if (importer === undefined || !SIMPLE_PEER.test(importer)) return null
      return STAND_INS.has(source) ? fileURLToPath(new URL(`../src/sources/mesh/shims/${source}.ts`, import.meta.url)) : null
    },
    transform(code, id) {
      if (!SIMPLE_PEER.test(id)) return null
      const named = code.replace(/require\('(debug|randombytes)'\)/g, (whole, name) => `${whole}.${EXPORTS[name]}`)
      return { code: named, map: null }
    },
  }
}
