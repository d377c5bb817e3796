// Gives the Sigstore packages browser stand-ins for `crypto`, `util` and `Buffer`, and touches nothing else of a build:
// no alias, no define, no global. Any other package that wants Node's modules is resolved as before.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const SIGSTORE = /[\\/]node_modules[\\/]@sigstore[\\/]/
const STAND_INS = new Map([
  ['crypto', 'crypto'],
  ['node:crypto', 'crypto'],
  ['util', 'util'],
  ['node:util', 'util'],
])
const BUFFER = 'sealift:sigstore-buffer'
const VIRTUAL = '\0sealift:sigstore-'

/** A Vite, Rolldown or Vitest plugin. */
export function sigstoreShims() {
  return {
    name: 'sealift:sigstore-shims',
    enforce: 'pre',
    resolveId(source, importer) {
      if (source === BUFFER) return `${VIRTUAL}buffer`
      if (importer === undefined || !SIGSTORE.test(importer)) return null
      const name = STAND_INS.get(source)
      return name === undefined ? null : VIRTUAL + name
    },
    load(id) {
      if (!id.startsWith(VIRTUAL)) return null
      const path = JSON.stringify(shimPath(id.slice(VIRTUAL.length)))
      // Node's modules are their own default export, and @sigstore/core asks for that one.
      return `import * as shim from ${path}; export * from ${path}; export default shim`
    },
    transform(code, id) {
      if (!SIGSTORE.test(id) || !/\bBuffer\b/.test(code)) return null
      // On the first line, so that every other line keeps its number. All of these packages are CommonJS.
      const scoped = code.replaceAll('globalThis.Buffer', 'Buffer')
      return { code: `const { Buffer } = require(${JSON.stringify(BUFFER)}); ${scoped}`, map: null }
    },
  }
}

function shimPath(name) {
  const path = fileURLToPath(new URL(`../src/trust/shims/${name}.ts`, import.meta.url))
  if (!existsSync(path)) throw new Error(`missing: ${path}`)
  return path
}
