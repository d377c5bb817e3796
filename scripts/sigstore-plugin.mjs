// Gives the packages of Sigstore and of The Update Framework browser stand-ins for `crypto`, `util` and `Buffer`, bundles them as ES modules, and
// touches nothing else of a build: no alias, no define, no global. Any other package that wants Node's modules is resolved as before.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { toModule } from './commonjs-to-module.mjs'

const EMULATED = /[\\/]node_modules[\\/]@(?:sigstore|tufjs)[\\/]/
/** Asks more of a key than Sigstore does. Apart, so that what every visitor fetches does not carry it. */
const TUF = /[\\/]node_modules[\\/]@tufjs[\\/]/
const GENERATED = /[\\/]protobuf-specs[\\/]dist[\\/]__generated__[\\/]/
const STAND_INS = new Map([
  ['crypto', 'crypto'],
  ['node:crypto', 'crypto'],
  ['util', 'util'],
  ['node:util', 'util'],
])
/** Wants HMAC for signing alone, deterministically (RFC 6979), and nobody signs here: 0.4 KB of gzip. */
const SIGNING = /[\\/]node_modules[\\/]@noble[\\/]curves[\\/]/
const BUFFER = 'sealift:sigstore-buffer'
const VIRTUAL = '\0sealift:sigstore-'

/** A Vite, Rolldown or Vitest plugin. */
export function sigstoreShims() {
  return {
    name: 'sealift:sigstore-shims',
    enforce: 'pre',
    resolveId(source, importer) {
      if (source === BUFFER) return `${VIRTUAL}buffer`
      // An engine has HMAC anyway, for tickets.
      const isSpared = this.environment?.name !== 'engine' && importer !== undefined && SIGNING.test(importer)
      if (isSpared && source.endsWith('/hmac.js')) return `${VIRTUAL}hmac`
      if (importer === undefined || !EMULATED.test(importer)) return null
      if (source === 'minimatch') return `${VIRTUAL}${source}`
      const name = STAND_INS.get(source)
      if (name === undefined) return null
      return VIRTUAL + (name === 'crypto' && TUF.test(importer) ? 'tuf-crypto' : name)
    },
    load(id) {
      if (!id.startsWith(VIRTUAL)) return null
      const path = JSON.stringify(shimPath(id.slice(VIRTUAL.length)))
      // Node's modules are their own default export, and @sigstore/core asks for that one.
      return `import * as shim from ${path}; export * from ${path}; export default shim`
    },
    transform(code, id) {
      if (!EMULATED.test(id)) return null
      const module = toModule(GENERATED.test(id) ? withoutWriters(code) : code, id)
      if (!/\bBuffer\b/.test(module)) return module === code ? null : { code: module, map: null }
      // On the first line, so that every other line keeps its number.
      const scoped = module.replaceAll('globalThis.Buffer', 'Buffer')
      return { code: `import { Buffer } from ${JSON.stringify(BUFFER)}; ${scoped}`, map: null }
    },
  }
}

/**
 * Generated code without what turns messages back into JSON: a verifier only reads, and an object is bundled whole (1.4 KB of gzip).
 * Lines keep their numbers. A call of what is gone throws.
 */
function withoutWriters(code) {
  return code.replace(/^ {4}toJSON\(message\) \{\n[\s\S]*?\n {4}\},$/gm, (text) => text.replace(/[^\n]/g, ''))
}

function shimPath(name) {
  const path = fileURLToPath(new URL(`../src/trust/shims/${name}.ts`, import.meta.url))
  if (!existsSync(path)) throw new Error(`missing: ${path}`)
  return path
}
