import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareVersions } from '../../../src/core/manifest/version-order.ts'

test.each([
  // Semantic Versioning 2.0.0 §11, its own example first.
  ['1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta', '1.0.0-beta.2', '1.0.0-beta.11', '1.0.0-rc.1', '1.0.0'],
  ['1.0.0-1', '1.0.0-20', '1.0.0--'],
  ['0.9.0', '0.10.0', '1.0.0', '1.0.1', '1.2.0', '2.0.0'],
  ['1.2', '1.2.1', '1.10', '2'],
  ['v1.9.0', '1.10.0', 'v1.11.0'],
  ['v1.2', '1.2.1', 'v1.2.2'],
  ['2026.9.30', '2026.10.1', '2026.10.1.1'],
  ['1.0.0', '1.0.0+build.1', '1.0.0+build.2', '1.0.1'],
  ['nightly', 'nightly-9', 'nightly-10', 'release', '0.0.1-alpha', '0.0.1'],
  ['1.0.20261120235959123', '1.0.120261120235959123'],
  ['9007199254740992', '9007199254740993'],
])('%s and what follows it stand in order', (...versions) => {
  for (const [i, older] of versions.entries()) {
    for (const newer of versions.slice(i + 1)) {
      expect([older, newer, Math.sign(compareVersions(older, newer))]).toEqual([older, newer, -1])
      expect(Math.sign(compareVersions(newer, older))).toBe(1)
    }
  }
})

test('is an order: total, antisymmetric, transitive, and zero for equal text only', () => {
  const version = fc.oneof(
    fc.string({ unit: fc.constantFrom('0', '1', '2', '10', '.', '-', '+', 'a', 'rc', 'v'), maxLength: 8 }),
    fc.tuple(fc.nat(12), fc.nat(12), fc.nat(12)).map((parts) => parts.join('.')),
  )
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      expect(compareVersions(a, b) === 0).toBe(a === b)
      expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).toBe(0)
      if (compareVersions(a, b) < 0 && compareVersions(b, c) < 0) expect(compareVersions(a, c)).toBeLessThan(0)
    }),
    { numRuns: 5000 },
  )
})
