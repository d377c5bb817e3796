import type { TestSelection, Weakness } from '../planting/weakness.ts'

/** The stand-in itself, against Node's own cryptography. */
const CRYPTO: TestSelection = { project: 'unit', file: 'test/trust/shims/crypto.test.ts' }
const UTIL: TestSelection = { project: 'unit', file: 'test/trust/shims/buffer.test.ts', named: 'are deeply equal' }

/** Whole bundles, judged on the stand-ins: under Vitest, and as the script that browsers get. */
const bundles = (named: string): readonly [TestSelection, TestSelection] => [
  { project: 'shims', file: 'test/shims/verifier.test.ts', named },
  { project: 'unit', file: 'test/trust/browser-bundle.test.ts', named },
]

export const weaknesses: readonly Weakness[] = [
  {
    name: 'shim-verify-true',
    file: 'src/trust/shims/crypto.ts',
    find: `  if (key.parsed.kind === 'ed25519') {
    if (algorithm !== undefined)`,
    replace: `  if (key !== undefined) return true
  if (key.parsed.kind === 'ed25519') {
    if (algorithm !== undefined)`,
    tests: [CRYPTO, ...bundles('an altered signature of')],
  },
  {
    name: 'shim-ecdsa-true',
    file: 'src/trust/shims/public-key.ts',
    find: 'return CURVES[key.curve].verify(',
    replace: 'return true || CURVES[key.curve].verify(',
    tests: [CRYPTO, ...bundles('the signature of a key over another file')],
  },
  {
    name: 'shim-ed25519-true',
    file: 'src/trust/shims/public-key.ts',
    find: 'return ed25519.verify(',
    replace: 'return true || ed25519.verify(',
    tests: [CRYPTO, ...bundles('of an Ed25519 key with an exchanged payload')],
  },
  {
    name: 'shim-rsa-true',
    file: 'src/trust/shims/rsa.ts',
    find: '  const prefix = DIGEST_INFO.get(hash)',
    replace: `  if (signature.length > 0) return true
  const prefix = DIGEST_INFO.get(hash)`,
    tests: [CRYPTO, ...bundles('the signature of an RSA key over another file')],
  },
  {
    name: 'shim-default-low-s',
    file: 'src/trust/shims/public-key.ts',
    find: ', lowS: false })',
    replace: ' })',
    tests: [{ ...CRYPTO, named: 'either half' }, ...bundles('in the larger half')],
  },
  {
    name: 'shim-timing-safe-equal-true',
    file: 'src/trust/shims/crypto.ts',
    find: 'return difference === 0',
    replace: 'return true',
    tests: [{ ...CRYPTO, named: 'tells bytes that differ' }, ...bundles('the timestamp of another signature')],
  },
  {
    name: 'shim-duplicates-never-equal',
    file: 'src/trust/shims/util.ts',
    find: '  if (Object.is(a, b)) return true',
    replace: '  if (a !== undefined) return false',
    tests: [UTIL, ...bundles('repeated: signature-invalid')],
  },
  {
    name: 'shim-duplicates-of-records-never-equal',
    file: 'src/trust/shims/util.ts',
    find: '  const keys = Object.keys(a)',
    replace: '  if (Object.getPrototypeOf(a) === Object.prototype) return false\n  const keys = Object.keys(a)',
    tests: [UTIL, ...bundles('repeated: signature-invalid')],
  },
  {
    name: 'shim-second-update-ignored',
    file: 'src/trust/shims/crypto.ts',
    find: `  const hash: Hash = {
    update(data) {
      state.update(`,
    replace: `  let updates = 0
  const hash: Hash = {
    update(data) {
      if (++updates === 1) state.update(`,
    tests: [{ ...CRYPTO, named: 'in one part or in several' }, ...bundles('a log entry and a timestamp')],
  },
  {
    name: 'shim-wrong-default-hash',
    file: 'src/trust/shims/crypto.ts',
    find: "algorithm ?? 'sha256'",
    replace: "algorithm ?? 'sha384'",
    tests: [{ ...CRYPTO, named: 'when no hash is named' }, ...bundles('an attestation about the file')],
  },
]
