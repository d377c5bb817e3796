// Compares what a browser has to fetch (gzip, level 9) with .ci/size-budget.json. An entry counts together with all
// that it imports statically; what it imports dynamically is fetched later and has a budget of its own.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { parseSync } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
/** @type {{ budgets: { name: string, entry: string, maxBytes: number }[] }} */
const { budgets } = JSON.parse(readFileSync(join(root, '.ci/size-budget.json'), 'utf8'))

/**
 * Files that a pattern names; `*` stands for any run of characters in the last part.
 * @param {string} pattern
 */
function filesOf(pattern) {
  const folder = join(root, dirname(pattern))
  const [head = '', tail] = basename(pattern).split('*')
  if (!existsSync(folder)) return []
  const fits = (/** @type {string} */ name) => (tail === undefined ? name === head : name.startsWith(head) && name.endsWith(tail))
  return readdirSync(folder)
    .filter(fits)
    .map((name) => join(folder, name))
}

/**
 * @param {string} file
 * @param {Set<string>} seen
 */
function collect(file, seen) {
  if (seen.has(file)) return
  seen.add(file)
  const { staticImports, staticExports } = parseSync(file, readFileSync(file, 'utf8')).module
  const requests = [
    ...staticImports.map((one) => one.moduleRequest.value),
    ...staticExports.flatMap((one) => one.entries.flatMap((entry) => entry.moduleRequest?.value ?? [])),
  ]
  for (const request of requests) if (request.startsWith('.')) collect(join(dirname(file), request), seen)
}

for (const { name, entry, maxBytes } of budgets) {
  const seen = new Set()
  for (const file of filesOf(entry)) collect(file, seen)
  const sizeBytes = [...seen].reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0)
  const verdict = seen.size === 0 ? 'MISSING' : sizeBytes > maxBytes ? 'OVER' : 'ok'
  if (verdict !== 'ok') process.exitCode = 1
  const files = [...seen].map((file) => relative(root, file)).join(' ') || entry
  console.log(`${verdict.padEnd(7)} ${String(sizeBytes).padStart(6)} of ${String(maxBytes).padStart(6)} bytes  ${name}: ${files}`)
}
