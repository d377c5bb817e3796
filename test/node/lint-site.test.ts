import { describe, expect, test } from 'vitest'
import type { Catalogue } from '../../src/core/manifest/catalogue.ts'
import type { SiteConfig } from '../../src/core/manifest/site-config.ts'
import { zoneOf } from '../../src/node/lint/host.ts'
import { lintSubject } from '../../src/node/lint/lint-site.ts'
import type { LintSubject } from '../../src/node/lint/subject.ts'
import { digestOf, sampleCatalogue, sampleConfig, sampleEntry } from '../core/manifest/samples.ts'

const DAY = 86_400
const NOW = 1_790_000_000
const key = (publicKeyPem: string) => ({ kind: 'key', publicKeyPem }) as const
const origin = (id: string, url: string, operator?: string, region?: string) => ({ id, tier: 'cdn', url, operator, region }) as const

/** A site that one fault does not take down, as far as paper knows. */
const SOUND = {
  config: {
    ...sampleConfig(),
    repository: 'acme',
    origins: [{ id: 'eu', url: 'https://cdn.acme.example/' }],
    gateways: [{ id: 'lan', url: 'http://gateway.lan/', addressSpace: 'local' }],
    mesh: { ...sampleConfig().mesh, mode: 'lan', signaling: ['wss://signal.acme.example/', 'wss://signal.lan.other.example/'] },
    trust: {
      ...sampleConfig().trust,
      catalogueSigners: [key('a'), key('b'), key('c')],
      artifactSigners: [key('a'), key('b'), key('c')],
      minSigners: { catalogue: 2, artifacts: 2 },
      trustedRoot: undefined,
      updates: { signers: [key('d'), key('e'), key('f')], minSigners: 2 },
    },
    maxGraceSeconds: 7 * DAY,
  },
  catalogue: sampleCatalogue({
    repository: 'acme',
    createdAtSeconds: NOW,
    expiresAtSeconds: NOW + 14 * DAY,
    graceSeconds: 2 * DAY,
    origins: [origin('eu', 'https://cdn.acme.example/', 'Acme', 'eu'), origin('us', 'https://mirror.other.test/', 'Other', 'us')],
    denied: [],
    artifacts: [sampleEntry()],
  }),
  isCatalogueVerified: true,
  nowSeconds: NOW,
  outageSeconds: 7 * DAY,
} as const satisfies LintSubject

const codesOf = (subject: LintSubject): readonly string[] => lintSubject(subject).map(({ code }) => code)
const withConfig = (changes: Partial<SiteConfig>): LintSubject => ({ ...SOUND, config: { ...SOUND.config, ...changes } })
const withCatalogue = (changes: Partial<Catalogue>): LintSubject => ({ ...SOUND, catalogue: { ...SOUND.catalogue, ...changes } })
const withMesh = (changes: Partial<SiteConfig['mesh']>): LintSubject => withConfig({ mesh: { ...SOUND.config.mesh, ...changes } })
const withTrust = (changes: Partial<SiteConfig['trust']>): LintSubject => withConfig({ trust: { ...SOUND.config.trust, ...changes } })
const withOrigins = (...origins: Catalogue['origins']): LintSubject => ({
  ...SOUND,
  config: {
    ...SOUND.config,
    origins: [],
    gateways: [...SOUND.config.gateways, { id: 'lan-2', url: 'https://gateway.lan/', addressSpace: undefined }],
  },
  catalogue: { ...SOUND.catalogue, origins },
})

test('a site that no single fault takes down has nothing to mend', () => {
  expect(lintSubject(SOUND)).toEqual([])
})

const turn = (urls: string) => ({ urls, username: undefined, credential: undefined })
const EU = origin('eu', 'https://eu.acme.example/', 'Acme', 'eu')
const OTHER = origin('us', 'https://us.other.test/', 'Other', 'us')

test.each<readonly [string, string, LintSubject]>([
  ['no origin at all', 'no-origin', withOrigins()],
  ['a single origin', 'single-origin', withOrigins(EU)],
  ['two origins on one host', 'single-host', withOrigins(EU, origin('b', 'https://eu.acme.example:8443/b/', 'Other', 'us'))],
  ['two origins under one domain', 'single-zone', withOrigins(EU, origin('us', 'https://us.acme.example/', 'Other', 'us'))],
  ['two origins of one operator', 'single-operator', withOrigins(EU, { ...OTHER, operator: 'Acme' })],
  ['an origin of an operator that is not said', 'operator-unknown', withOrigins(EU, { ...OTHER, operator: undefined })],
  ['two origins in one region', 'single-region', withOrigins(EU, { ...OTHER, region: 'eu' })],
  ['an origin in a region that is not said', 'region-unknown', withOrigins(EU, { ...OTHER, region: undefined })],
  ['an origin without TLS', 'plain-http', withOrigins(EU, { ...OTHER, url: 'http://us.other.test/' })],
  ['no gateway', 'single-way-in no-gateway', withConfig({ gateways: [] })],
  ['a configuration that leads nowhere', 'no-way-in no-gateway', withConfig({ origins: [], gateways: [] })],
  [
    'a gateway that an https page may not ask',
    'gateway-blocked',
    withConfig({ gateways: [{ id: 'g', url: 'http://10.0.0.5/', addressSpace: undefined }] }),
  ],
  ['a single tier that may be used', 'single-tier tier-unused', withConfig({ tiers: ['cdn'] })],
  ['a preset that leaves the origins out', 'tier-unused', withConfig({ preset: 'offline-lan' })],
  ['a relay that is not named', 'no-turn', withMesh({ mode: 'relay', iceServers: [turn('stun:stun.example')] })],
  ['a single relay', 'single-turn', withMesh({ mode: 'relay', iceServers: [turn('turn:turn.example'), turn('stun:stun.example')] })],
  ['a mesh that is off', 'mesh-off', withMesh({ mode: 'off' })],
  ['a mesh without a server', 'no-signaling', withMesh({ signaling: [] })],
  ['a single signaling server', 'single-signaling', withMesh({ signaling: ['wss://10.0.0.5/'] })],
  ['signaling servers under one domain', 'signaling-single-zone', withMesh({ signaling: ['wss://a.acme.lan/', 'wss://b.acme.lan/'] })],
  ['no signaling server in the local network', 'no-local-signaling', withMesh({ signaling: ['wss://a.acme.test/', 'wss://8.8.8.8/'] })],
  ['a signaling server without TLS', 'plain-ws', withMesh({ signaling: ['wss://signal.acme.example/', 'ws://10.0.0.5/'] })],
  [
    'a single signer',
    'no-spare-signer one-signer-decides',
    withTrust({ catalogueSigners: [key('a')], minSigners: { catalogue: 1, artifacts: 2 } }),
  ],
  ['two signers who both are needed', 'no-spare-signer', withTrust({ artifactSigners: [key('a'), key('b')] })],
  ['one signature that suffices', 'one-signer-decides', withTrust({ minSigners: { catalogue: 2, artifacts: 1 } })],
  ['nobody who may change trust', 'no-trust-updates', withTrust({ updates: undefined })],
  ['trust that a lost key fixes', 'no-spare-trust-signer', withTrust({ updates: { signers: [key('d'), key('e')], minSigners: 2 } })],
  ['trust that one key changes', 'one-changes-trust', withTrust({ updates: { signers: [key('d'), key('e')], minSigners: 1 } })],
  ['a trusted root that stays as it is', 'trusted-root-fixed', withTrust({ trustedRoot: {} })],
  ['a catalogue of another site', 'repository-other', withCatalogue({ repository: 'other' })],
  ['a catalogue that nobody verified', 'catalogue-unverified', { ...SOUND, isCatalogueVerified: false }],
  ['a catalogue past its grace', 'catalogue-expired', { ...SOUND, nowSeconds: NOW + 16 * DAY + 1 }],
  ['a catalogue in its grace', 'catalogue-in-grace', { ...SOUND, nowSeconds: NOW + 15 * DAY }],
  ['a catalogue in the second half of its life', 'catalogue-ageing', { ...SOUND, nowSeconds: NOW + 7 * DAY + 1 }],
  ['a catalogue that a long outage outlives', 'catalogue-short', { ...SOUND, outageSeconds: 9 * DAY + 1 }],
  ['a catalogue without grace', 'no-grace', withCatalogue({ graceSeconds: 0 })],
  ['a grace that the site does not grant', 'grace-capped', withConfig({ maxGraceSeconds: DAY })],
  ['an artifact of which all is yanked', 'nothing-offered', withCatalogue({ artifacts: [sampleEntry({ yanked: true })] })],
  ['an artifact of which all is withdrawn', 'nothing-offered', withCatalogue({ denied: [digestOf('artifact')] })],
  ['an artifact that is rolled out to nobody', 'nothing-offered', withCatalogue({ artifacts: [sampleEntry({ rollout: 0 })] })],
  [
    'an artifact that is rolled out in part',
    'rollout-partial',
    withCatalogue({ artifacts: [sampleEntry(), sampleEntry({ version: '1.4.3', rollout: 10 })] }),
  ],
  ['an artifact that peers may not pass on', 'mesh-forbidden', withCatalogue({ artifacts: [sampleEntry({ mesh: false })] })],
])('finds %s, and nothing else', (_, code, subject) => {
  expect(codesOf(subject)).toEqual(code.split(' '))
})

describe('what is not wrong is not found', () => {
  test.each<readonly [string, LintSubject]>([
    ['origins of the configuration count with those of the catalogue', withCatalogue({ origins: [OTHER] })],
    ['an outage that half of the life and the grace outlive', { ...SOUND, outageSeconds: 9 * DAY }],
    [
      'a yanked version beside one that is offered',
      withCatalogue({ artifacts: [sampleEntry(), sampleEntry({ version: '2', yanked: true })] }),
    ],
    [
      'an old version that is rolled out in part',
      withCatalogue({ artifacts: [sampleEntry(), sampleEntry({ version: '1.0.0', rollout: 10 })] }),
    ],
    ['a trusted root that is refreshed', withTrust({ trustedRoot: {}, refresh: { url: 'https://tuf.example/', root: {} } })],
    ['two relays', withMesh({ mode: 'relay', iceServers: [turn('turn:a.example'), turn('TURNS:b.example')] })],
    ['two trusted roots', withTrust({ trustedRoot: [{}, {}] })],
    ['a server on this machine without TLS', withOrigins(EU, { ...OTHER, url: 'http://127.0.0.1:8080/' })],
    [
      'a gateway that only the catalogue names',
      {
        ...withConfig({ origins: [...SOUND.config.origins, { id: 'us', url: OTHER.url }], gateways: [] }),
        catalogue: {
          ...SOUND.catalogue,
          origins: [...SOUND.catalogue.origins, OTHER, { ...OTHER, id: 'g', tier: 'gateway', url: 'https://gateway.acme.example/' }],
        },
      },
    ],
  ])('%s', (_, subject) => {
    expect(codesOf(subject).filter((code) => !['operator-unknown', 'region-unknown'].includes(code))).toEqual([])
  })

  test.each([
    'wss://192.168.1.5/',
    'wss://172.31.0.1/',
    'wss://[fd00::5]/',
    'ws://[::1]:8787/',
    'ws://localhost/',
    'wss://signal.internal/',
  ])('%s is in the local network', (url) => expect(codesOf(withMesh({ signaling: ['wss://signal.acme.example/', url] }))).toEqual([]))

  test.each(['wss://172.32.0.1/', 'wss://[2001:db8::1]/', 'wss://lanes.example/'])('%s is not', (url) =>
    expect(codesOf(withMesh({ signaling: ['wss://signal.acme.test/', url] }))).toEqual(['no-local-signaling']),
  )
})

test('an address is a zone of its own, and of a name the last two labels are', () => {
  expect(
    ['https://a.b.acme.example/', 'https://acme.example:8443/x/', 'http://10.1.2.3/', 'http://[fd00::5]/', 'http://localhost/'].map(zoneOf),
  ).toEqual(['acme.example', 'acme.example', '10.1.2.3', 'fd00::5', 'localhost'])
})

test('the worst comes first', () => {
  const severities = lintSubject({ ...withOrigins(), nowSeconds: NOW + 20 * DAY, isCatalogueVerified: false }).map(
    ({ severity }) => severity,
  )
  expect(severities).toEqual(['error', 'error', 'advice'])
})

test('half of the documents is said to be half', () => {
  expect(codesOf({ ...SOUND, config: undefined })).toEqual(['configuration-unseen'])
  expect(codesOf({ ...SOUND, catalogue: undefined })).toEqual(['single-origin', 'catalogue-unseen'])
  expect(codesOf({ ...SOUND, config: undefined, catalogue: { ...SOUND.catalogue, origins: [] } })).toContain('origins-elsewhere')
})
