import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toArtifactName } from '../../../src/core/model/ids.ts'
import {
  bucketOf,
  chooseByAlias,
  chooseByDigest,
  chooseEntry,
  isEntryDenied,
  withdrawnArtifacts,
} from '../../../src/core/manifest/choose.ts'
import type { CatalogueEntry } from '../../../src/core/manifest/catalogue.ts'
import { digestOf, sampleCatalogue, sampleEntry } from './samples.ts'
import { failureFrom } from './outcome.ts'

const entry = (version: string, changes: Partial<CatalogueEntry> = {}): CatalogueEntry =>
  sampleEntry({
    version,
    platform: undefined,
    channel: undefined,
    artifact: { sha256: digestOf(`artifact ${version} ${changes.platform}`), sizeBytes: 10 },
    manifest: { sha256: digestOf(`manifest ${version} ${changes.platform}`), sizeBytes: 10 },
    ...changes,
  })
const of = (...artifacts: readonly CatalogueEntry[]) => sampleCatalogue({ artifacts, denied: [] })
const wish = { name: 'edge-agent', clientBucket: () => 50 }

test('gives the highest version, not the last one listed', () => {
  expect(chooseEntry(of(entry('1.9.0'), entry('1.10.0'), entry('1.2.0')), wish).version).toBe('1.10.0')
})

test('passes over a yanked version, and gives it to whoever names it', () => {
  const catalogue = of(entry('1.0.0'), entry('2.0.0', { yanked: true }))
  expect(chooseEntry(catalogue, wish).version).toBe('1.0.0')
  expect(chooseEntry(catalogue, { ...wish, version: '2.0.0' }).version).toBe('2.0.0')
})

test.each([
  [0, 0, '1.0.0'],
  [1, 0, '2.0.0'],
  [50, 49, '2.0.0'],
  [50, 50, '1.0.0'],
  [99, 99, '1.0.0'],
  [100, 99, '2.0.0'],
])('a roll-out to %i percent gives client %i version %s', (rollout, clientBucket, version) => {
  expect(chooseEntry(of(entry('1.0.0'), entry('2.0.0', { rollout })), { ...wish, clientBucket: () => clientBucket }).version).toBe(version)
})

const seed = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const versions = fc.constantFrom('1.0.0', '2.0.0', '2.0.1', '10.0.0-rc.1')

test('a growing roll-out takes nobody out again, reaches all at 100 percent and nobody at 0', () => {
  fc.assert(
    fc.property(seed, versions, fc.nat(100), fc.nat(100), (of1, version, a, b) => {
      const [less, more] = [Math.min(a, b), Math.max(a, b)]
      const given = (rollout: number) =>
        chooseEntry(of(entry('0.1.0'), entry(version, { rollout })), { ...wish, clientBucket: (one) => bucketOf(of1, one) }).version
      if (given(less) === version) expect(given(more)).toBe(version)
      expect([given(0), given(100)]).toEqual(['0.1.0', version])
    }),
  )
})

test('a yanked version is offered to nobody, however far it was rolled out, and given to whoever names it', () => {
  fc.assert(
    fc.property(seed, versions, fc.nat(100), (of1, version, rollout) => {
      const catalogue = of(entry('0.1.0'), entry(version, { rollout, yanked: true }))
      const asked = { ...wish, clientBucket: (one: CatalogueEntry) => bucketOf(of1, one) }
      expect(chooseEntry(catalogue, asked).version).toBe('0.1.0')
      expect(chooseEntry(catalogue, { ...asked, version }).version).toBe(version)
      expect(chooseByDigest(catalogue, entry(version).artifact.sha256).version).toBe(version)
    }),
  )
})

test('each release draws anew who is among the first tenth, alike for all platforms of a version', () => {
  const clients = Array.from({ length: 2000 }, (_, at) => at / 2000)
  const first = (version: string, changes: Partial<CatalogueEntry> = {}) =>
    new Set(clients.filter((client) => bucketOf(client, entry(version, changes)) < 10))
  const [one, two, other] = [first('1.0.0'), first('2.0.0'), first('1.0.0', { name: toArtifactName('viewer') })]
  for (const tenth of [one, two, other]) expect(Math.abs(tenth.size - 200)).toBeLessThan(60)
  // A tenth of a tenth, give or take: were they the same clients, it would be all of them.
  for (const [a, b] of [
    [one, two],
    [one, other],
  ] as const)
    expect([...a].filter((client) => b.has(client)).length).toBeLessThan(60)
  expect(first('1.0.0', { platform: 'linux/amd64' })).toEqual(first('1.0.0', { platform: 'darwin/arm64' }))
})

test('a version named is given before its roll-out reaches this client', () => {
  expect(chooseEntry(of(entry('2.0.0', { rollout: 0 })), { ...wish, version: '2.0.0' }).version).toBe('2.0.0')
})

test('passes over a denied version, and never gives it, not even by its name or digest', () => {
  const withdrawn = entry('2.0.0')
  const catalogue = { ...of(entry('1.0.0'), withdrawn), denied: [withdrawn.artifact.sha256] }
  const denied = { code: 'artifact-denied', sha256: withdrawn.artifact.sha256 }
  expect(chooseEntry(catalogue, wish).version).toBe('1.0.0')
  expect(failureFrom(() => chooseEntry(catalogue, { ...wish, version: '2.0.0' }))).toEqual(denied)
  expect(failureFrom(() => chooseByDigest(catalogue, withdrawn.artifact.sha256))).toEqual(denied)
  expect(failureFrom(() => chooseEntry({ ...catalogue, artifacts: [withdrawn] }, wish))).toEqual(denied)
})

test('a denied manifest denies its entry', () => {
  const withdrawn = entry('2.0.0')
  const catalogue = { ...of(withdrawn), denied: [withdrawn.manifest.sha256] }
  expect(isEntryDenied(catalogue, withdrawn)).toBe(true)
  expect(failureFrom(() => chooseEntry(catalogue, wish))).toMatchObject({ code: 'artifact-denied' })
  expect(failureFrom(() => chooseByDigest(catalogue, withdrawn.artifact.sha256))).toMatchObject({ code: 'artifact-denied' })
})

test('a digest denied is refused even when the catalogue no longer lists it', () => {
  const catalogue = { ...of(), denied: [digestOf('gone')] }
  expect(failureFrom(() => chooseByDigest(catalogue, digestOf('gone')))).toEqual({ code: 'artifact-denied', sha256: digestOf('gone') })
})

test.each([
  ['a name that is not listed', { name: 'other' }],
  ['a version that is not listed', { version: '9.9.9' }],
  ['a platform that is not listed', { platform: 'plan9/mips' }],
  ['a channel that is not listed', { channel: 'nightly' }],
])('says unknown of %s', (_what, changes) => {
  const catalogue = of(entry('1.0.0', { platform: 'linux/amd64' }))
  const asked = { ...wish, ...changes }
  expect(failureFrom(() => chooseEntry(catalogue, asked))).toEqual({
    code: 'artifact-unknown',
    name: asked.name,
    version: 'version' in changes ? changes.version : undefined,
  })
})

test('says unknown when all that is listed is yanked or still rolled out to others', () => {
  const catalogue = of(entry('1.0.0', { yanked: true }), entry('2.0.0', { rollout: 10 }))
  expect(failureFrom(() => chooseEntry(catalogue, wish))).toMatchObject({ code: 'artifact-unknown' })
})

const linux = { platform: 'linux/amd64' }
const mac = { platform: 'darwin/arm64' }

test('asks which platform is meant, and names them', () => {
  const catalogue = of(entry('1.0.0', linux), entry('1.0.0', mac))
  expect(failureFrom(() => chooseEntry(catalogue, wish))).toEqual({
    code: 'artifact-ambiguous',
    name: 'edge-agent',
    platforms: ['darwin/arm64', 'linux/amd64'],
  })
  expect(chooseEntry(catalogue, { ...wish, ...mac }).platform).toBe('darwin/arm64')
})

test('a release in the making does not hand one system’s file to another', () => {
  const catalogue = of(entry('1.0.0', linux), entry('1.0.0', mac), entry('2.0.0', linux))
  expect(failureFrom(() => chooseEntry(catalogue, wish))).toMatchObject({ code: 'artifact-ambiguous' })
  expect(chooseEntry(catalogue, { ...wish, ...mac }).version).toBe('1.0.0')
})

test('no platform is asked for where there is one only, or one file for all', () => {
  expect(chooseEntry(of(entry('1.0.0', linux), entry('2.0.0', linux)), wish).version).toBe('2.0.0')
  expect(chooseEntry(of(entry('1.0.0', linux), entry('1.0.0', mac), entry('2.0.0')), wish).version).toBe('2.0.0')
})

test('a file made for the platform comes before one for all, of one version only', () => {
  expect(chooseEntry(of(entry('1.0.0'), entry('1.0.0', linux)), { ...wish, ...linux }).platform).toBe('linux/amd64')
  expect(chooseEntry(of(entry('2.0.0'), entry('1.0.0', linux)), { ...wish, ...linux }).version).toBe('2.0.0')
})

test('a channel is given to whoever asks for it: nobody gets a beta unasked', () => {
  const catalogue = of(entry('1.0.0'), entry('1.5.0', { channel: 'stable' }), entry('2.0.0', { channel: 'beta' }))
  expect(chooseEntry(catalogue, wish).version).toBe('1.5.0')
  expect(chooseEntry(catalogue, { ...wish, channel: 'beta' }).version).toBe('2.0.0')
  expect(chooseEntry(catalogue, { ...wish, version: '2.0.0' }).version).toBe('2.0.0')
})

test('a digest is found whatever was yanked, or is said to be unknown', () => {
  const pinned = entry('1.0.0', { yanked: true, rollout: 0 })
  expect(chooseByDigest(of(pinned), pinned.artifact.sha256)).toBe(pinned)
  expect(failureFrom(() => chooseByDigest(of(pinned), digestOf('other')))).toEqual({
    code: 'artifact-unknown',
    name: digestOf('other'),
    version: undefined,
  })
})

const LATEST = 'https://downloads.example/latest.zip'

test('a plain URL stands for the newest version that lists it', () => {
  const catalogue = of(entry('1.0.0', { aliases: [LATEST] }), entry('2.0.0', { aliases: [LATEST] }), entry('3.0.0', { aliases: [] }))
  expect(chooseByAlias(catalogue, LATEST, wish)?.version).toBe('2.0.0')
  expect(chooseByAlias(catalogue, `${LATEST}#top`, wish)?.version).toBe('2.0.0')
  expect(chooseByAlias(catalogue, `${LATEST}?v=1`, wish)).toBeUndefined()
  expect(chooseByAlias(catalogue, 'https://elsewhere.example/', wish)).toBeUndefined()
})

test('a plain URL that stands for a withdrawn file is refused, not passed on to the network', () => {
  const withdrawn = entry('1.0.0', { aliases: [LATEST] })
  const catalogue = { ...of(withdrawn), denied: [withdrawn.artifact.sha256] }
  expect(failureFrom(() => chooseByAlias(catalogue, LATEST, wish))).toMatchObject({ code: 'artifact-denied' })
})

test('a plain URL of one version goes on working when that version is yanked, or not rolled out to this client', () => {
  expect(chooseByAlias(of(entry('1.0.0', { aliases: [LATEST], yanked: true })), LATEST, wish)?.version).toBe('1.0.0')
  expect(chooseByAlias(of(entry('1.0.0', { aliases: [LATEST], rollout: 0 })), LATEST, wish)?.version).toBe('1.0.0')
  const both = of(entry('1.0.0', { aliases: [LATEST] }), entry('2.0.0', { aliases: [LATEST], yanked: true }))
  expect(chooseByAlias(both, LATEST, wish)?.version).toBe('1.0.0')
})

test('a plain URL for other platforms only is unknown to this one', () => {
  const catalogue = of(entry('1.0.0', { aliases: [LATEST], ...linux }))
  expect(failureFrom(() => chooseByAlias(catalogue, LATEST, { ...wish, ...mac }))).toMatchObject({ code: 'artifact-unknown', name: LATEST })
})

test('a plain URL claimed by two artifacts is ambiguous', () => {
  const catalogue = of(entry('1.0.0', { aliases: [LATEST] }), entry('1.0.0', { name: toArtifactName('other'), aliases: [LATEST] }))
  expect(failureFrom(() => chooseByAlias(catalogue, LATEST, wish))).toMatchObject({ code: 'artifact-ambiguous', name: LATEST })
})

test('denied digests withdraw artifacts, by their own digest or by that of every manifest that lists them', () => {
  const listed = (artifact: string, manifest: string) => ({
    artifact: { sha256: digestOf(artifact) },
    manifest: { sha256: digestOf(manifest) },
  })
  const entries = [listed('a', 'm1'), listed('b', 'm2'), listed('b', 'm3'), listed('c', 'm4'), listed('c', 'm5')]
  const withdrawn = (...denied: readonly string[]) => {
    const gone = withdrawnArtifacts(new Set(denied.map(digestOf)), entries)
    return ['a', 'b', 'c', 'x'].filter((name) => gone.has(digestOf(name)))
  }
  expect(withdrawn('a')).toEqual(['a'])
  expect(withdrawn('m1')).toEqual(['a'])
  expect(withdrawn('m2')).toEqual([])
  expect(withdrawn('m3', 'm2')).toEqual(['b'])
  expect(withdrawn('c')).toEqual(['c'])
  expect(withdrawn('c', 'm4')).toEqual(['c'])
  expect(withdrawn('x')).toEqual(['x'])
  expect(withdrawn()).toEqual([])
})
