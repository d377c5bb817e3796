// The built verifier: as Node runs it, or as a browser does, bundled with the stand-ins for Node's modules and run without them.

import { existsSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { runInNewContext } from 'node:vm'
import { bundleForBrowser } from './bundle-for-browser.mjs'

const BUILT = fileURLToPath(new URL('../dist/src/trust/sigstore-verifier.js', import.meta.url))

/** @param {{ shims: boolean }} options */
export async function loadVerifier({ shims }) {
  if (!existsSync(BUILT)) throw new Error('nothing is built yet: run `npm run build` first')
  if (!shims) return (await import(pathToFileURL(BUILT).href)).createSigstoreVerifier()
  return runAsBrowser(await bundleForBrowser({ entry: BUILT, name: 'verifier' })).createSigstoreVerifier()
}

/** Runs a script in a fresh global with the few things that it needs of a worker's, and nothing of Node. */
function runAsBrowser(code) {
  return runInNewContext(`${code};verifier`, { TextEncoder, TextDecoder, atob, btoa, structuredClone, console })
}
