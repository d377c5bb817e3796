import { expect, test } from 'vitest'
import {
  acceptCatalogue,
  isRefreshDue,
  judgeFreshness,
  requireSigningTime,
  type CatalogueOffer,
} from '../../../src/core/manifest/freshness.ts'
import { digestOf, sampleCatalogue } from './samples.ts'
import { failureFrom } from './outcome.ts'

const VERSION = 1_790_000_000
const DAY = 86_400
const offer = (changes: Partial<CatalogueOffer> = {}): CatalogueOffer => ({
  offered: sampleCatalogue({ version: VERSION }),
  offeredSha256: digestOf('offered'),
  floor: undefined,
  minimumVersion: 0,
  repository: 'releases.example',
  nowSeconds: VERSION,
  ...changes,
})

test('a first visit accepts a catalogue that reaches the pinned minimum', () => {
  expect(failureFrom(() => acceptCatalogue(offer({ minimumVersion: VERSION })))).toBeUndefined()
  expect(failureFrom(() => acceptCatalogue(offer({ minimumVersion: VERSION + 1 })))).toEqual({
    code: 'catalogue-rollback',
    floor: VERSION + 1,
    offered: VERSION,
  })
})

test('the version never goes down, whichever floor is higher', () => {
  const floor = { version: VERSION + 5, sha256: digestOf('newer') }
  expect(failureFrom(() => acceptCatalogue(offer({ floor, minimumVersion: 1 })))).toMatchObject({
    code: 'catalogue-rollback',
    floor: VERSION + 5,
  })
  expect(failureFrom(() => acceptCatalogue(offer({ floor, minimumVersion: VERSION + 9 })))).toMatchObject({ floor: VERSION + 9 })
  expect(failureFrom(() => acceptCatalogue(offer({ floor: { ...floor, version: VERSION - 1 } })))).toBeUndefined()
})

test('one version has one content', () => {
  const known = digestOf('known')
  expect(failureFrom(() => acceptCatalogue(offer({ floor: { version: VERSION, sha256: known }, offeredSha256: known })))).toBeUndefined()
  expect(failureFrom(() => acceptCatalogue(offer({ floor: { version: VERSION, sha256: known } })))).toEqual({
    code: 'catalogue-equivocation',
    version: VERSION,
    known,
    offered: digestOf('offered'),
  })
})

test('a catalogue of another repository is refused, however good its signature', () => {
  expect(failureFrom(() => acceptCatalogue(offer({ repository: 'other.example' })))).toEqual({
    code: 'catalogue-repository',
    expected: 'other.example',
    offered: 'releases.example',
  })
})

test('what was accepted before is not of the future: a clock that was set back takes nothing away, and gives nothing', () => {
  const floor = { version: VERSION, sha256: digestOf('offered') }
  const nowSeconds = VERSION - 400 * DAY
  expect(failureFrom(() => acceptCatalogue(offer({ floor, nowSeconds })))).toBeUndefined()
  const newer = sampleCatalogue({ version: VERSION + 1 })
  expect(failureFrom(() => acceptCatalogue(offer({ floor, nowSeconds, offered: newer })))).toMatchObject({ code: 'catalogue-future' })
  const older = sampleCatalogue({ version: VERSION - 1 })
  expect(failureFrom(() => acceptCatalogue(offer({ floor, nowSeconds, offered: older })))).toMatchObject({ code: 'catalogue-rollback' })
})

test('a catalogue from more than a day ahead cannot raise the floor', () => {
  expect(failureFrom(() => acceptCatalogue(offer({ nowSeconds: VERSION - DAY })))).toBeUndefined()
  expect(failureFrom(() => acceptCatalogue(offer({ nowSeconds: VERSION - DAY - 1 })))).toEqual({
    code: 'catalogue-future',
    version: VERSION,
    nowSeconds: VERSION - DAY - 1,
  })
  const far = sampleCatalogue({ version: Number.MAX_SAFE_INTEGER })
  expect(failureFrom(() => acceptCatalogue(offer({ offered: far })))).toMatchObject({ code: 'catalogue-future' })
})

test('a version is a signing time: an hour after the witness, give or take nothing', () => {
  const at = (signedAtSeconds: number | undefined) =>
    failureFrom(() => requireSigningTime(sampleCatalogue({ version: VERSION }), signedAtSeconds))
  expect([at(VERSION - 3600), at(VERSION + 400 * DAY), at(undefined)]).toEqual([undefined, undefined, undefined])
  expect(at(VERSION - 3601)).toEqual({ code: 'catalogue-future', version: VERSION, nowSeconds: VERSION - 3601 })
})

test('a clock that was set back makes nothing fresh: not what has expired, nor what may have', () => {
  const at = (nowSeconds: number, expiresAtSeconds: number) =>
    judgeFreshness(sampleCatalogue({ version: VERSION, graceSeconds: 0, expiresAtSeconds }), { nowSeconds, maxGraceSeconds: 7 * DAY })
  expect([at(VERSION - DAY, VERSION), at(VERSION - DAY - 1, VERSION), at(VERSION - 400 * DAY, VERSION)]).toEqual([
    'fresh',
    'stale',
    'stale',
  ])
  expect(failureFrom(() => at(VERSION - 400 * DAY, VERSION - 1))).toMatchObject({ code: 'catalogue-expired', nowSeconds: VERSION })
  expect([VERSION - DAY, VERSION - DAY - 1].map((now) => isRefreshDue(sampleCatalogue({ version: VERSION }), now))).toEqual([false, true])
})

const EXPIRES = 1_790_604_800
const question = { nowSeconds: EXPIRES, maxGraceSeconds: 7 * DAY }

test('is fresh up to and including the second of its expiry', () => {
  expect(judgeFreshness(sampleCatalogue(), question)).toBe('fresh')
  expect(judgeFreshness(sampleCatalogue(), question)).toBe('fresh')
  expect(judgeFreshness(sampleCatalogue(), { ...question, nowSeconds: EXPIRES + 1 })).toBe('stale')
})

test.each([
  ['the publisher’s grace', DAY, 7 * DAY, DAY],
  ['the site’s ceiling', 30 * DAY, 7 * DAY, 7 * DAY],
  ['no grace at all', 0, 7 * DAY, 0],
  ['a site that wants none', 30 * DAY, 0, 0],
])('an outage stretches it by %s and no second more', (_what, graceSeconds, maxGraceSeconds, stretch) => {
  const catalogue = sampleCatalogue({ graceSeconds })
  const at = (nowSeconds: number) => judgeFreshness(catalogue, { nowSeconds, maxGraceSeconds })
  expect(at(EXPIRES + stretch)).toBe(stretch === 0 ? 'fresh' : 'stale')
  expect(failureFrom(() => at(EXPIRES + stretch + 1))).toEqual({
    code: 'catalogue-expired',
    expiredAtSeconds: EXPIRES,
    nowSeconds: EXPIRES + stretch + 1,
  })
})

test('asks for a newer one from its own time on', () => {
  expect(isRefreshDue(sampleCatalogue(), 1_790_003_599)).toBe(false)
  expect(isRefreshDue(sampleCatalogue(), 1_790_003_600)).toBe(true)
})
