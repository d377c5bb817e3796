import { beforeAll, describe, expect, test, vi } from 'vitest'
import type { AuditRecord } from '../../src/core/audit/record.ts'
import { LIMITS } from '../../src/core/limits.ts'
import type { SiteConfig } from '../../src/core/manifest/site-config.ts'
import { encodeCatalogueEnvelope, parseCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import type { SignatureVerdict } from '../../src/core/verify/identity-policy.ts'
import { auditOf, bytesOf, createMachine, createMirror, deliver, failureOfDelivery, isForgotten, never } from '../engine/machine.ts'
import { createPublisher, PIECE_BYTES, utf8, type Publisher, type Release } from '../engine/publisher.ts'
import type { OriginFault } from '../fakes/fault-origin.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { IDENTITY, ISSUER, type BundleJson } from '../trust/offline-sigstore.ts'
import { countReadBytes, createKeyPublisher, expectSurvived, openHostileSite } from './hostile-site.ts'

vi.setConfig({ testTimeout: 60_000 })

const BYTES = seededBytes(1, 2 * PIECE_BYTES + 5)
const OTHER = seededBytes(2, BYTES.length)
const KIB = 1024

let publisher: Publisher
let keyed: Publisher

beforeAll(async () => {
  ;[publisher, keyed] = [await createPublisher(), await createKeyPublisher()]
})

describe('tr02.swap-two-good-artifacts: an artifact of the same signer in the place of the one that was asked for', () => {
  const pair = async () => {
    const [asked, other] = [await keyed.release(BYTES, { version: '1.2.3' }), await keyed.release(OTHER, { version: '1.2.4' })]
    const catalogue = await keyed.catalogue([asked, other])
    const request = { kind: 'name', name: 'edge-agent', version: '1.2.3', platform: undefined, channel: undefined } as const
    return { asked, other, catalogue, request }
  }

  test.each([
    ['bytes', 'digest-mismatch', (release: Release) => release.entry.artifact.sha256],
    ['manifest', 'blob-mismatch', (release: Release) => release.entry.manifest.sha256],
  ])('is found out by its %s, and an honest source serves what was asked for', async (_what, code, digestOf) => {
    const { asked, other, catalogue, request } = await pair()
    const blobs = [...asked.blobs, ...other.blobs]
    const swapped = createMirror('evil', { catalogue, blobs })
    const read = swapped.read.bind(swapped)
    const { sizeBytes } = other.entry.manifest
    swapped.read = (blob, range, signal) => {
      if (blob.sha256 !== digestOf(asked)) return read(blob, range, signal)
      // Manifests differ in nothing that changes their length.
      expect([BYTES.length, sizeBytes]).toContain(blob.sizeBytes)
      return read({ ...blob, sha256: digestOf(other) }, range, signal)
    }
    const { blob, record } = await deliver(createMachine(keyed).start([swapped, createMirror('honest', { catalogue, blobs })]), request)
    expect(Buffer.from(await bytesOf(blob)).equals(BYTES)).toBe(true)
    expect(record.sources.find(({ source }) => source === 'evil')).toMatchObject({ verifiedBytes: 0, failures: [{ code }] })
    const machine = createMachine(keyed)
    const failure = await failureOfDelivery(deliver(machine.start([swapped]), request))
    expect(failure).toMatchObject({ reasons: [{ code, source: 'evil' }] })
    expect(await isForgotten(machine, asked.entry.artifact.sha256)).toBe(true)
  })

  test.each(['manifest', 'manifest and artifact'] as const)('is refused when the catalogue itself names its %s', async (what) => {
    const { asked, other, request } = await pair()
    const { manifest, artifact } = other.entry
    const entry = { ...asked.entry, manifest, ...(what === 'manifest' ? {} : { artifact }) }
    const catalogue = await keyed.catalogue([{ ...asked, entry }])
    const machine = createMachine(keyed)
    const engine = machine.start([createMirror('evil', { catalogue, blobs: [...asked.blobs, ...other.blobs] })])
    expect(await failureOfDelivery(deliver(engine, request))).toMatchObject({ code: 'manifest-mismatch', name: 'edge-agent' })
    for (const {
      entry: {
        artifact: { sha256 },
      },
    } of [asked, other])
      expect(await isForgotten(machine, sha256)).toBe(true)
  })
})

describe('tr10.endless-metadata: a document without end', () => {
  const SLACK_BYTES = 64 * KIB
  const documents: readonly (readonly [string, (release: Release) => { readonly path: string; readonly limitBytes: number }])[] = [
    ['catalogue', () => ({ path: 'catalogue.json', limitBytes: LIMITS.catalogueBytes })],
    ['manifest', ({ entry }) => ({ path: `by-hash/sha256/${entry.manifest.sha256}`, limitBytes: entry.manifest.sizeBytes })],
    [
      'bundle',
      ({ blobs }) => {
        const bundle = blobs.at(-1) ?? new Uint8Array()
        return { path: `by-hash/sha256/${sha256Of(bundle)}`, limitBytes: bundle.length }
      },
    ],
  ]
  const cases = documents.flatMap(([name, of]) => (['endless', 'bomb'] as const).map((fault) => [name, fault, of] as const))

  test.each<readonly [string, OriginFault, (typeof documents)[number][1]]>(cases)(
    'as a %s (%s) is left at its limit',
    async (_name, fault, of) => {
      const release = await keyed.release(BYTES)
      const { path, limitBytes } = of(release)
      const { evil, honest, start } = await openHostileSite(keyed, [release])
      evil.fault = fault
      evil.faultAt = new RegExp(`^/${path}$`)
      const read = countReadBytes()
      const code = path === 'catalogue.json' ? 'format-oversized' : 'blob-unavailable'
      expect(await failureOfDelivery(deliver(start(evil)))).toMatchObject({ code })
      const times = evil.requests.filter((request) => request.path === `/${path}`).length
      expect(read.of(`${evil.baseUrl}${path}`)).toBeGreaterThan(limitBytes)
      expect(read.of(`${evil.baseUrl}${path}`)).toBeLessThanOrEqual(times * (limitBytes + SLACK_BYTES))
      await expectSurvived(start(evil, honest), BYTES)
    },
  )
})

describe('tr18.malleable: a bundle that was changed where nobody signs', () => {
  const changes: Readonly<Record<string, (bundle: BundleJson) => BundleJson>> = {
    'a member that nobody knows': (bundle) => ({ ...bundle, x: 1 }) as BundleJson,
    'its members in another order': (bundle) => Object.fromEntries(Object.entries(bundle).reverse()) as unknown as BundleJson,
  }

  test.each(Object.entries(changes))('with %s says the same, and nothing is kept or served under its own digest', async (_what, change) => {
    const [good, about] = [await publisher.sign(BYTES), await publisher.attest(BYTES)]
    const [before, after] = [
      await publisher.release(BYTES, { bundles: [good, about] }),
      await publisher.release(BYTES, { bundles: [change(good), about] }),
    ]
    const [first, second] = await Promise.all([before, after].map((release) => deliveredFrom(publisher, release)))
    if (first === undefined || second === undefined) throw new TypeError('expected two deliveries')
    expect(factsOf(second.record)).toEqual(factsOf(first.record))
    expect(factsOf(first.record)).not.toContain(undefined)
    expect(second.record.verdicts.map(({ bundle }) => bundle)).not.toEqual(first.record.verdicts.map(({ bundle }) => bundle))
    expect(second.record.artifact).toEqual(first.record.artifact)
    const kept = (await second.machine.stores.lookups.listVerified(never)).map(({ sha256 }) => sha256)
    expect(kept).toEqual([sha256Of(BYTES)])
    // The same artifact with the other bundle is found, not fetched again.
    const source = createMirror('cdn-2', {
      catalogue: await publisher.catalogue([before], { version: publisher.nowSeconds + 60 }),
      blobs: before.blobs,
    })
    second.machine.clock.nowSeconds += 7200
    await deliver(second.machine.start([source]))
    expect(source.asked.filter(({ end }) => end > PIECE_BYTES)).toEqual([])
  })
})

/** What each bundle was found to say; undefined for one that was refused. */
function factsOf(record: AuditRecord): readonly (SignatureVerdict | undefined)[] {
  return record.verdicts.map((opinion) => ('verdict' in opinion ? opinion.verdict : undefined))
}

async function deliveredFrom(from: Publisher, release: Release) {
  const machine = createMachine(from)
  const mirror = createMirror('cdn-1', { catalogue: await from.catalogue([release]), blobs: release.blobs })
  return { machine, ...(await deliver(machine.start([mirror]))) }
}

describe('tr20.two-of-two: where two have to sign', () => {
  const SECOND = 'https://github.com/acme/review/.github/workflows/approve.yml@refs/heads/main'
  const twoOfTwo = (): Partial<SiteConfig> => {
    const signers = [IDENTITY, SECOND].map((identity) => ({ kind: 'certificate', identity, issuer: ISSUER }) as const)
    return {
      trust: { ...publisher.trust, catalogueSigners: signers, artifactSigners: signers, minSigners: { catalogue: 2, artifacts: 2 } },
    }
  }
  const signedBy = (bytes: Uint8Array, identities: readonly string[]) =>
    Promise.all(identities.map((identity) => publisher.sign(bytes, { identity })))

  /** What a machine makes of a site whose catalogue and artifact these have signed; provenance comes from the first signer. */
  const published = async (catalogueBy: readonly string[], artifactBy: readonly string[]) => {
    const release = await publisher.release(BYTES, { bundles: [...(await signedBy(BYTES, artifactBy)), await publisher.attest(BYTES)] })
    const { payload } = parseCatalogueEnvelope(await publisher.catalogue([release]))
    const bundles = (await signedBy(payload, catalogueBy)).map((bundle) => utf8(JSON.stringify(bundle)))
    const machine = createMachine(publisher)
    const mirror = createMirror('evil', { catalogue: encodeCatalogueEnvelope({ payload, bundles }), blobs: release.blobs })
    return { machine, engine: machine.start([mirror], twoOfTwo()), sha256: release.entry.artifact.sha256 }
  }

  test('both are enough', async () => {
    const { engine } = await published([IDENTITY, SECOND], [SECOND, IDENTITY])
    const { blob, record } = await deliver(engine)
    expect(Buffer.from(await bytesOf(blob)).equals(BYTES)).toBe(true)
    const names = factsOf(record).map((verdict) => (verdict?.signer.kind === 'certificate' ? verdict.signer.identity : ''))
    expect(new Set(names)).toEqual(new Set([IDENTITY, SECOND]))
  })

  test.each<readonly [string, readonly string[], readonly string[]]>([
    ['the catalogue lacks the second', [IDENTITY], [IDENTITY, SECOND]],
    ['the catalogue lacks the first', [SECOND], [IDENTITY, SECOND]],
    ['the first signed the catalogue twice', [IDENTITY, IDENTITY], [IDENTITY, SECOND]],
    ['the artifact lacks the second', [IDENTITY, SECOND], [IDENTITY]],
    ['the first signed the artifact twice', [IDENTITY, SECOND], [IDENTITY, IDENTITY]],
    ['a stranger is the second', [IDENTITY, SECOND], [IDENTITY, `${SECOND}.evil`]],
  ])('nothing is delivered when %s', async (_what, catalogueBy, artifactBy) => {
    const { machine, engine, sha256 } = await published(catalogueBy, artifactBy)
    expect(await failureOfDelivery(deliver(engine))).toEqual({ code: 'signers-too-few', needed: 2, found: 1 })
    expect(await isForgotten(machine, sha256)).toBe(true)
    expect((await auditOf(engine)).filter(({ outcome }) => outcome.kind === 'delivered')).toEqual([])
  })
})
