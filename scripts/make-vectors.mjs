// `npm run vectors -- --out DIR`: our own cases in the layout of the public Sigstore client suite, with keys of the moment.
import { existsSync } from 'node:fs'

const maker = new URL('../dist/test/conformance/write-vectors.js', import.meta.url)
if (!existsSync(maker)) {
  console.error('Nothing is built yet. Run `npm run build` first.')
  process.exit(2)
}
const { runVectors } = await import(maker.href)
process.exitCode = await runVectors(process.argv.slice(2), console.log)
