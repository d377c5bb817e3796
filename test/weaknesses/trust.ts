import { testsOf, type Weakness } from '../planting/weakness.ts'

const inEngine = testsOf('test/attacks/trust.test.ts')
const inVerifier = testsOf('test/trust/sigstore-verifier.test.ts')
const inBrowser = testsOf('test/browser/attacks.test.ts', 'browser')

export const weaknesses: readonly Weakness[] = [
  {
    name: 'tr01-arbitrary',
    file: 'src/core/verify/piece.ts',
    find: 'if (actual !== expected) throw',
    replace: 'if (actual.length !== expected.length) throw',
    tests: [inBrowser('tr01.arbitrary')],
    needsBuild: true,
  },
  {
    name: 'tr02-swap-two-good-artifacts',
    file: 'src/core/manifest/parse-manifest.ts',
    find: '    if (listed !== stated) throw',
    replace: '    if (typeof listed !== typeof stated) throw',
    tests: [inEngine('tr02.swap-two-good-artifacts')],
  },
  {
    name: 'tr02-swap-two-good-artifacts-manifest',
    file: 'src/scheduler/fetch-blob.ts',
    find: 'if (actual !== ref.sha256)',
    replace: 'if (actual.length !== ref.sha256.length)',
    tests: [inEngine('tr02.swap-two-good-artifacts')],
  },
  {
    name: 'tr10-endless-metadata',
    file: 'src/core/collect-bytes.ts',
    find: 'if (length > limitBytes) throw',
    replace: 'if (length > 64 * limitBytes) throw',
    tests: [inEngine('tr10.endless-metadata')],
  },
  {
    name: 'tr10-endless-metadata-in-a-browser',
    file: 'src/core/collect-bytes.ts',
    find: 'if (length > limitBytes) throw',
    replace: 'if (length > 64 * limitBytes) throw',
    tests: [inBrowser('tr10.endless-metadata')],
    needsBuild: true,
  },
  {
    name: 'tr11-endless-artifact',
    file: 'src/sources/http/body.ts',
    find: 'if (length > limit) throw wrongLength(answer, limit, length)',
    replace: 'if (length > limit) continue',
    tests: [{ project: 'unit', file: 'test/attacks/content.test.ts', named: 'tr11.endless-artifact' }],
  },
  {
    name: 'tr12-slow-10kbps',
    file: 'src/core/plan/timers.ts',
    find: "return rate < floor ? { kind: 'release', phase: 'slow' }",
    replace: "return rate < 0 ? { kind: 'release', phase: 'slow' }",
    tests: [{ project: 'unit', file: 'test/scheduler/delivery.test.ts', named: 'tr12.slow-10kBps' }],
  },
  {
    name: 'tr13-identity-table',
    file: 'src/core/verify/identity-policy.ts',
    find: "if (typeof wanted === 'string') return actual === wanted",
    replace: "if (typeof wanted === 'string') return new RegExp(wanted).test(actual)",
    tests: [inVerifier('tr13.identity-table')],
  },
  {
    name: 'tr14-no-policy',
    file: 'src/core/verify/identity-policy.ts',
    find: "if (issuer.trim() === '') throw missing('a certificate signer has no issuer')",
    replace: '',
    tests: [{ project: 'unit', file: 'test/core/verify/identity-policy.test.ts', named: 'tr14.no-policy' }],
  },
  {
    name: 'tr15-dsse-subject',
    file: 'src/trust/sigstore-verifier.ts',
    find: 'if (!statement.subjects.includes(subject)) {',
    replace: 'if (!statement.subjects.includes(subject) && statement.subjects.length > 9) {',
    tests: [inVerifier('tr15.dsse-subject')],
  },
  {
    name: 'tr16-conformance',
    file: 'src/trust/shims/public-key.ts',
    find: 'return CURVES[key.curve].verify(',
    replace: 'return true || CURVES[key.curve].verify(',
    tests: [{ project: 'browser', file: 'test/browser/decisions.test.ts', named: 'tr16.conformance' }],
  },
  {
    name: 'tr17-bundle-mutation',
    file: 'src/trust/refusal.ts',
    find: 'return bundleInvalid(detailOf(error), error)',
    replace: 'throw error',
    tests: [{ project: 'unit', file: 'test/trust/hostile-bundle.test.ts', named: 'tr17.bundle-mutation' }],
  },
  {
    name: 'tr18-malleable',
    file: 'src/engine/deliver.ts',
    find: 'const file = await parts.stores.store.open(artifact, signal)',
    replace: 'const file = await parts.stores.store.open({ ...artifact, sha256: artifact.bundles[0].sha256 }, signal)',
    tests: [inEngine('tr18.malleable')],
  },
  {
    name: 'tr20-two-of-two',
    file: 'src/core/verify/vouch.ts',
    find: 'signers.size < minSigners ? new',
    replace: 'accepted.length < minSigners ? new',
    tests: [inEngine('tr20.two-of-two')],
  },
  {
    name: 'tr22-trusted-root',
    file: 'src/trust/trust-root.ts',
    find: "if (period?.start === undefined) throw invalid(`${path}.start`, 'missing')",
    replace: 'if (period?.start === undefined) return',
    tests: [inVerifier('tr22.trusted-root')],
  },
  {
    name: 'critical-ignored',
    file: 'src/core/json/json-field.ts',
    find: "if (Object.hasOwn(value, 'critical')) requireKnown",
    replace: 'if (value === undefined) requireKnown',
    tests: [{ project: 'unit', file: 'test/core/manifest/forward.test.ts', named: 'as critical' }],
  },
  {
    name: 'unknown-member-refused',
    file: 'src/core/json/json-field.ts',
    find: "if (Object.hasOwn(value, 'critical')) requireKnown",
    replace:
      "if (Object.keys(value).some((name) => name.startsWith('x'))) throw this.refuse('unknown')\n    if (Object.hasOwn(value, 'critical')) requireKnown",
    tests: [{ project: 'unit', file: 'test/core/manifest/forward.test.ts', named: 'says the same' }],
  },
  {
    name: 'verdict-remembered-without-its-policy',
    file: 'src/trust/sigstore-verifier.ts',
    find: 'return allAccepted(splitBundles(file), (text) => verifyOne(parseBundle(text), subject, trust))',
    replace: `const remembered = (createSigstoreVerifier.remembered ??= new Map())
      const key = subject + new TextDecoder().decode(file)
      if (!remembered.has(key)) remembered.set(key, allAccepted(splitBundles(file), (text) => verifyOne(parseBundle(text), subject, trust)))
      return remembered.get(key)`,
    tests: [{ project: 'unit', file: 'test/trust/decision.test.ts', named: 'not on what was asked before' }],
  },
  {
    name: 'tr19-revocation',
    file: 'src/core/verify/trust-chain.ts',
    find: 'site: siteTrust(trust),',
    replace: 'site: before.site,',
    tests: [
      { project: 'unit', file: 'test/engine/trust-updates.test.ts', named: 'tr19.revocation' },
      { project: 'unit', file: 'test/core/verify/trust-chain.test.ts', named: 'tr19.revocation' },
    ],
  },
  {
    name: 'tr19-threshold',
    file: 'src/core/verify/vouch.ts',
    find: 'if (JSON.stringify(after) !== JSON.stringify(before)) await requireSigned',
    replace: 'if (after === undefined) await requireSigned',
    tests: [{ project: 'unit', file: 'test/core/verify/trust-chain.test.ts', named: 'tr19.threshold' }],
  },
  {
    name: 'tr19-threshold-counts-bundles',
    file: 'src/core/verify/vouch.ts',
    find: 'signers.size < minSigners ?',
    replace: 'accepted.length < minSigners ?',
    tests: [{ project: 'unit', file: 'test/core/verify/trust-chain.test.ts', named: 'tr19.threshold' }],
  },
  {
    name: 'denied-not-purged',
    file: 'src/engine/compose.ts',
    find: 'void purgeDenied({ stores, memory, withLock }, denied, entries)',
    replace: '',
    tests: [{ project: 'unit', file: 'test/engine/denied.test.ts', named: 'denies is not delivered' }],
  },
]
