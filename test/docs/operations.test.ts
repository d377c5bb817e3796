import { expect, test } from 'vitest'
import { createCounters } from '../../signaling/counters.ts'
import { SIGNALING_LIMITS } from '../../signaling/limits.ts'
import { signalingOptionsFromEnv } from '../../signaling/main.ts'
import { readPage, rowsOf } from './page.ts'

const PREFIX = 'SEALIFT_SIGNALING_'
const ROWS = rowsOf(readPage('operations.md')).map(
  ([name = '', value = '']) => [name.replaceAll('`', ''), value.replaceAll('`', '')] as const,
)

test('the limits of docs/operations.md are those of the server', () => {
  const listed = ROWS.filter(([name]) => /^[a-z][A-Za-z]+$/.test(name))
  expect(listed.length).toBeGreaterThan(8)
  const limits: Readonly<Record<string, number>> = SIGNALING_LIMITS
  expect(listed).toEqual(listed.map(([name]) => [name, String(limits[name])]))
})

test('the variables of docs/operations.md are read, each and no other', () => {
  const listed = ROWS.map(([name]) => name).filter((name) => name.startsWith(PREFIX))
  const read = new Set<string>()
  const env = new Proxy<Record<string, string>>(
    { [`${PREFIX}ORIGINS`]: 'https://portal.test', [`${PREFIX}KEYS`]: '', [`${PREFIX}ADMISSION`]: 'open' },
    {
      get(target, name) {
        if (typeof name !== 'string') return undefined
        read.add(name.replace(/LIMIT_\w+$/, 'LIMIT_<name>'))
        return target[name]
      },
    },
  )
  const options = signalingOptionsFromEnv(env)
  expect(listed.toSorted()).toEqual([...read].toSorted())
  const defaults = new Map(ROWS)
  expect([String(options.port), options.host, options.metrics]).toEqual(
    ['PORT', 'HOST', 'METRICS'].map((name) => defaults.get(PREFIX + name)),
  )
})

test('every metric that docs/operations.md names is rendered', () => {
  const counters = createCounters()
  const rendered = counters.render({ event_loop_utilization: 0, neighbours: 0 })
  const named = ROWS.map(([name]) => name).filter((name) => name.startsWith('sealift_signaling_'))
  expect(named.length).toBeGreaterThan(5)
  for (const name of named) expect(rendered).toContain(`# TYPE ${name} `)
})
