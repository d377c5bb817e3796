// Runs the verifier over a directory of bundle verification cases, each with the artifact and with its SHA-256 alone.
// A case is a directory with bundle.sigstore.json; one whose name ends in _fail must be refused.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { loadVerifier } from './load-verifier.mjs'

const IDENTITY =
  'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main'
const ISSUER = 'https://token.actions.githubusercontent.com'
const THRESHOLDS = { log: 1, sct: 1, timestamp: 1 }
const USAGE = 'usage: npm run conformance -- --cases DIR [--trusted-root FILE] [--shims] [--json]'

const { values } = parseArgs({
  options: { cases: { type: 'string' }, 'trusted-root': { type: 'string' }, shims: { type: 'boolean' }, json: { type: 'boolean' } },
})
if (values.cases === undefined) fail(USAGE)
const casesDir = resolve(values.cases)
if (!existsSync(casesDir)) fail(`no such directory: ${casesDir}`)

const verifier = await loadVerifier({ shims: values.shims === true }).catch((error) => fail(error.message))
const rows = []
for (const name of caseNames(casesDir)) {
  for (const input of ['artifact', 'digest']) rows.push(await runCase(name, input))
}
report(rows)

function caseNames(dir) {
  const names = readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(dir, entry.name, 'bundle.sigstore.json')))
    .map((entry) => entry.name)
  if (names.length === 0) fail(`no case in ${dir}`)
  return names.toSorted()
}

async function runCase(name, input) {
  const expected = name.endsWith('_fail') ? 'reject' : 'accept'
  const { actual, reason } = await verdictOn(name, input)
  return { case: name, input, expected, actual, reason, passed: actual === expected }
}

async function verdictOn(name, input) {
  try {
    const dir = join(casesDir, name)
    if (isContradictory(name, dir)) return { actual: 'reject', reason: 'both a key and an identity are asked for: no policy says that' }
    const sha256 = digestOf(artifactPath(dir), input)
    await verifier.verify(new Uint8Array(readFileSync(join(dir, 'bundle.sigstore.json'))), sha256, policyOf(dir))
    return { actual: 'accept', reason: null }
  } catch (error) {
    // Only a typed refusal is a verdict; anything else is a fault of ours and passes no case.
    if (error?.name !== 'DeliveryError') return { actual: 'error', reason: String(error?.stack ?? error) }
    return { actual: 'reject', reason: error.message }
  }
}

/** The suite tells by the name that a client is given both, and by files in other cases. */
function isContradictory(name, dir) {
  const namesIdentity = name.includes('and-client-identity') || existsSync(join(dir, 'identity')) || existsSync(join(dir, 'issuer'))
  return namesIdentity && existsSync(join(dir, 'key.pub'))
}

function policyOf(dir) {
  const key = optional(join(dir, 'key.pub'))
  const signer =
    key === undefined
      ? {
          kind: 'certificate',
          identity: optional(join(dir, 'identity'))?.trim() ?? IDENTITY,
          issuer: optional(join(dir, 'issuer'))?.trim() ?? ISSUER,
        }
      : { kind: 'key', publicKeyPem: key }
  return { anyOf: [signer], trustedRoot: trustedRoot(dir), thresholds: THRESHOLDS }
}

function trustedRoot(dir) {
  const candidates = [
    join(dir, 'trusted_root.json'),
    ...(values['trusted-root'] === undefined ? [] : [resolve(values['trusted-root'])]),
    join(casesDir, 'production-trusted-root.json'),
    join(dirname(casesDir), 'production-trusted-root.json'),
  ]
  const path = candidates.find((candidate) => existsSync(candidate))
  if (path === undefined) fail('no trusted root: pass --trusted-root FILE')
  return JSON.parse(readFileSync(path, 'utf8'))
}

function artifactPath(dir) {
  const own = join(dir, 'artifact')
  return existsSync(own) ? own : join(casesDir, 'a.txt')
}

/** For the artifact run in blocks, as a download arrives; for the digest run at once. */
function digestOf(path, input) {
  const hash = createHash('sha256')
  const bytes = readFileSync(path)
  const step = input === 'artifact' ? 65_536 : Math.max(1, bytes.length)
  for (let at = 0; at < bytes.length; at += step) hash.update(bytes.subarray(at, at + step))
  return hash.digest('hex')
}

function optional(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

function report(all) {
  const passed = all.filter((row) => row.passed).length
  if (values.json !== true) {
    for (const row of all)
      console.log(
        `${row.passed ? 'ok  ' : 'FAIL'} ${row.case} (${row.input}): ${row.actual}${row.reason === null ? '' : `, ${row.reason}`}`,
      )
    console.log(`${passed} of ${all.length} passed`)
  } else {
    console.log(JSON.stringify({ conformance: { passed, total: all.length, rows: all } }))
  }
  process.exitCode = passed === all.length && all.length > 0 ? 0 : 1
}

function fail(message) {
  console.error(message)
  process.exit(2)
}
