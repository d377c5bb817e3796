import { expect, test } from 'vitest'
import { readPage, rowsOf } from '../../docs/page.ts'
import { rolesOf, scenariosFor, type Deployment } from '../../../src/node/drill/scenario.ts'

const mesh = { mode: 'lan', signaling: ['wss://signal.example/'], ticketUrl: undefined, iceServers: [] } as const
const gateway = { id: 'site', url: 'http://gateway.lan/', addressSpace: undefined } as const
const origin = (id: string) => ({ id, url: `https://${id}.example/` })
const deployment = (config: Partial<Deployment['config']>): Deployment => ({
  portalUrl: 'https://portal.example/page',
  config: { origins: [origin('cdn')], gateways: [], mesh: { ...mesh, mode: 'off', signaling: [] }, ...config },
})
const namesOf = (one: Deployment): readonly string[] => scenariosFor(one).map(({ name }) => name)

test('what can happen follows from what the deployment has', () => {
  const least = ['healthy', 'cdn-refused', 'cdn-silent', 'cdn-slow', 'cdn-midway', 'portal']
  expect(namesOf(deployment({}))).toEqual(least)
  const full = deployment({ origins: [origin('a'), origin('b')], gateways: [gateway], mesh })
  expect(namesOf(full)).toEqual(['healthy', 'origin-a', 'origin-b', 'gateway', 'signaling', ...least.slice(1), 'mesh'])
  expect(scenariosFor(full).filter(({ lacking }) => lacking !== undefined)).toEqual([])
  expect(rolesOf(full)).toEqual(
    new Map([
      ['portal.example:443', ['portal']],
      ['a.example:443', ['cdn']],
      ['b.example:443', ['cdn']],
      ['gateway.lan:80', ['gateway']],
      ['signal.example:443', ['signaling']],
    ]),
  )
})

test('a deployment with one tier cannot outlive its CDN: that is a finding, and no scenario that is left out', () => {
  const lacking = scenariosFor(deployment({})).filter((one) => one.lacking !== undefined)
  expect(lacking.map(({ name }) => name)).toEqual(['cdn-refused', 'cdn-silent', 'cdn-slow', 'cdn-midway', 'portal'])
})

test('docs/drills.md has a row for each scenario, and for no other', () => {
  const all = scenariosFor(deployment({ origins: [origin('ID'), origin('b')], gateways: [gateway], mesh })).map(({ name }) => name)
  const rows = rowsOf(readPage('drills.md')).map(([name = '']) => name.replaceAll('`', ''))
  const own = rows.slice(rows.indexOf('healthy'), rows.indexOf('mesh') + 1)
  expect(own).toEqual(all.filter((name) => name !== 'origin-b'))
})
