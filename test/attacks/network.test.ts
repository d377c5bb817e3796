import { beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { failureOf } from '../../src/core/errors.ts'
import type { SiteConfig } from '../../src/core/manifest/site-config.ts'
import { createHttpOrigins } from '../../src/engine/http-origins.ts'
import { auditOf, configOf, deliver } from '../engine/machine.ts'
import { PIECE_BYTES, type Publisher, type Release } from '../engine/publisher.ts'
import { startFaultOrigin, type FaultOrigin } from '../fakes/fault-origin.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { systemClock } from '../fakes/system-clock.ts'
import { createKeyPublisher, expectRefused, expectSurvived, openHostileSite, pathOf, type HostileSite } from './hostile-site.ts'

vi.setConfig({ testTimeout: 60_000 })

const BYTES = seededBytes(1, 4 * PIECE_BYTES + 5)

let publisher: Publisher
let release: Release

beforeAll(async () => {
  publisher = await createKeyPublisher()
  release = await publisher.release(BYTES)
})

const gatewayAt = ({ baseUrl }: FaultOrigin): Partial<SiteConfig> => ({
  gateways: [{ id: 'evil', url: baseUrl, addressSpace: 'local' }],
  preset: 'lan-first',
})
const startBehind = ({ machine, evil }: HostileSite, origins: readonly FaultOrigin[]) =>
  machine.start([], { ...gatewayAt(evil), origins: origins.map(({ baseUrl }, at) => ({ id: `cdn-${at}`, url: baseUrl })) })

/** Also where it is asked to look past its cache. */
const wherever = (sha256: string): RegExp => new RegExp(sha256)

test('nw02.rogue-gateway: whoever has taken over the name of a gateway gets no byte of his through', async () => {
  const { sha256 } = release.entry.artifact
  const site = await openHostileSite(publisher, [release])
  site.evil.fault = 'other-bytes'
  site.evil.faultAt = wherever(sha256)
  await expectSurvived(startBehind(site, [site.honest]), BYTES, { code: 'digest-mismatch' })
  const alone = await openHostileSite(publisher, [release])
  alone.evil.fault = 'other-bytes'
  alone.evil.faultAt = wherever(sha256)
  await expectRefused({ machine: alone.machine, engine: startBehind(alone, []), sha256 }, 'sources-exhausted', { code: 'digest-mismatch' })
})

test('nw03.gateway-list: a gateway that only an unsigned catalogue names hears nothing', async () => {
  const site = await openHostileSite(publisher, [release])
  const listed = [{ id: 'lan', tier: 'gateway' as const, url: site.evil.baseUrl, region: undefined, operator: undefined }]
  const catalogueOf = (sign?: 'unsigned') => publisher.catalogue([release], { origins: listed }, sign)
  for (const [catalogue, isHeard] of [
    [await catalogueOf('unsigned'), false],
    [await catalogueOf(), true],
  ] as const) {
    const origin = await startFaultOrigin({ blobs: release.blobs, catalogue })
    onTestFinished(() => origin.close())
    // The artifact itself is only at the gateway.
    origin.fault = 'missing'
    origin.faultAt = pathOf(release.entry.artifact.sha256)
    const outcome = await deliver(site.machine.start([], { origins: [{ id: 'cdn', url: origin.baseUrl }] })).catch(failureOf)
    expect(outcome).toMatchObject(isHeard ? { artifact: { sizeBytes: BYTES.length } } : { code: 'signature-missing' })
    expect(site.evil.requests.length > 0).toBe(isHeard)
  }
})

test('nw04.mixed: the worker of an https page leaves gateways on http to the window, whoever names them', () => {
  const gateways = [
    { id: 'plain', url: 'http://gateway.lan/', addressSpace: 'local' as const },
    { id: 'tls', url: 'https://gateway.lan/', addressSpace: 'local' as const },
  ]
  const idsOn = (isSecurePage: boolean): readonly string[] => {
    const origins = createHttpOrigins({ ...configOf(publisher), gateways }, { clock: systemClock, isSecurePage })
    origins.setListed([{ id: 'listed', tier: 'gateway', url: 'http://listed.lan/', region: undefined, operator: undefined }])
    return origins.current().map(({ id }) => id)
  }
  expect(idsOn(true)).toEqual(['tls'])
  expect(idsOn(false)).toEqual(['plain', 'tls', 'listed'])
})

test('nw05.path: a gateway is asked for the catalogue, for trust updates, and for what its digest names; nothing else can be mixed up', async () => {
  const site = await openHostileSite(publisher, [release])
  const engine = startBehind(site, [])
  await expectSurvived(engine, BYTES)
  const paths = new Set(site.evil.requests.map(({ path }) => path))
  expect(paths).toContain(`/by-hash/sha256/${release.entry.artifact.sha256}`)
  for (const path of paths) expect(path).toMatch(/^\/(by-hash\/sha256\/[0-9a-f]{64}|catalogue\.json|trust\/\d+\.json)$/)
  expect((await auditOf(engine)).map(({ outcome }) => outcome.kind)).toEqual(['delivered'])
})
