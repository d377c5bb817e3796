import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { packageRoot } from '../../src/node/package-root.ts'
import { leadsSomewhere } from '../docs/headings.ts'
import { readPage } from '../docs/page.ts'
import { readExposed, type Exposed } from './metrics-exposed.ts'

interface Rule {
  readonly alert?: string
  readonly expr?: string
  readonly for?: string | undefined
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly datasource: { readonly uid: string } }[]
}

const read = (name: string): string => readFileSync(join(packageRoot(), 'deploy', name), 'utf8')
const groups = (parse(read('alerts-sealift.yml')) as { readonly groups: readonly { readonly rules: readonly Rule[] }[] }).groups
const RULES = groups.flatMap(({ rules }) => rules)
const { panels: PANELS }: { readonly panels: readonly Panel[] } = JSON.parse(read('grafana-sealift.json'))
const QUERIES = PANELS.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

/** Every metric that is scraped has these besides. */
const SCRAPED = ['instance', 'job']
const exposed = await readExposed()

const PAIRS: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' }

function isBalanced(expression: string): boolean {
  const open: string[] = []
  for (const letter of expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, '')) {
    if ('([{'.includes(letter)) open.push(letter)
    else if (letter in PAIRS && open.pop() !== PAIRS[letter]) return false
    else if (letter === '"') return false
  }
  return open.length === 0
}

/** What an expression names that nobody shows. */
function unknownIn(expression: string, shown: Exposed): readonly string[] {
  const text = expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
  const metrics = [...text.matchAll(/sealift_\w+/g)].map(([name]) => name)
  const labels = new Set([...SCRAPED, ...metrics.flatMap((name) => [...(shown.get(name) ?? [])])])
  const selected = [...text.matchAll(/(sealift_\w+)\{([^}]*)\}/g)].flatMap(([, name = '', matchers = '']) =>
    [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].flatMap(([, label = '']) =>
      [...SCRAPED, ...(shown.get(name) ?? [])].includes(label) ? [] : [`${name}{${label}}`],
    ),
  )
  const grouped = [...text.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(/,\s*/))
  return [...metrics.filter((name) => !shown.has(name)), ...selected, ...grouped.filter((name) => !labels.has(name))]
}

function faultsOf({ alert = '', expr = '', labels = {}, annotations = {}, ...rule }: Rule, shown: Exposed): readonly string[] {
  const written = Object.values(annotations).join(' ')
  const used = [...written.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label)
  // `sum(…)` leaves no label for the words of the alert to use.
  const isWhole = !/\bby\b/.test(expr) && /\b(?:sum|max|min|avg)\s*\(/.test(expr)
  return [
    ...(/^Sealift[A-Za-z]+$/.test(alert) ? [] : ['name']),
    ...(expr.includes('sealift_') && isBalanced(expr) ? [] : ['expression']),
    ...unknownIn(expr, shown),
    ...(/^\d+[smh]$/.test(rule.for ?? '') ? [] : ['for']),
    ...(['warning', 'critical'].includes(labels['severity'] ?? '') ? [] : ['severity']),
    ...((annotations['summary'] ?? '') === '' ? ['summary'] : []),
    ...(annotations['runbook']?.includes('#') === true && leadsSomewhere(annotations['runbook']) ? [] : ['runbook']),
    ...used.filter((label) => isWhole || ![...SCRAPED, ...[...shown.values()].flatMap((known) => [...known])].includes(label)),
  ]
}

describe('deploy/alerts-sealift.yml', () => {
  test.each(RULES.map((rule) => [rule.alert, rule] as const))('%s can fire, and leads to what to do', (_, rule) => {
    expect(faultsOf(rule, exposed)).toEqual([])
  })

  test('no two alerts have one name', () => {
    expect(RULES.length).toBeGreaterThan(15)
    expect(new Set(RULES.map(({ alert }) => alert)).size).toBe(RULES.length)
  })

  test('a rule that is not right is found out', () => {
    const [good = {}] = RULES
    const broken = (change: Partial<Rule>): readonly string[] => faultsOf({ ...good, ...change }, exposed)
    expect(broken({ expr: 'max(sealift_probe_expires_seconds) < 3' })).toEqual(['sealift_probe_expires_seconds'])
    expect(broken({ expr: 'max(sealift_probe_up < 3' })).toEqual(['expression'])
    expect(broken({ expr: 'max(sealift_probe_up[5m)] < 3' })).toEqual(['expression'])
    expect(broken({ expr: 'sealift_probe_up{place="eu"} < 1' })).toEqual(['sealift_probe_up{place}'])
    expect(broken({ expr: 'max by (site) (sealift_probe_up) < 1' })).toEqual(['site'])
    expect(broken({ for: undefined })).toEqual(['for'])
    expect(broken({ labels: {} })).toEqual(['severity'])
    expect(broken({ annotations: { summary: 'x', runbook: 'docs/operations.md#nothing-of-that-name' } })).toEqual(['runbook'])
    expect(broken({ annotations: { summary: 'x', runbook: 'docs/nothing.md#gateway' } })).toEqual(['runbook'])
    expect(broken({ annotations: { ...good.annotations, summary: '{{ $labels.origin }} fails' } })).toEqual(['origin'])
  })
})

describe('deploy/grafana-sealift.json', () => {
  test('asks only for what is shown', () => {
    expect(QUERIES.length).toBeGreaterThan(25)
    expect(QUERIES.filter((query) => !isBalanced(query))).toEqual([])
    expect(QUERIES.flatMap((query) => unknownIn(query.replaceAll(/count_values\("\w+",/g, 'count('), exposed))).toEqual([])
  })

  test('shows what every server tells of itself', () => {
    const asked = new Set([...QUERIES, ...RULES.map(({ expr = '' }) => expr)].flatMap((text) => text.match(/sealift_\w+/g) ?? []))
    const told = [...exposed.keys()].filter((name) => !/_(?:resident_memory_bytes|sessions|addresses|guests)$/.test(name))
    expect(told.filter((name) => !asked.has(name))).toEqual([])
  })

  test('no panel lies over another, and each asks the data source that is chosen', () => {
    const cells = PANELS.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)}:${y + Math.floor(at / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(new Set(PANELS.map(({ id }) => id)).size).toBe(PANELS.length)
    expect(PANELS.every(({ gridPos }) => gridPos.x + gridPos.w <= 24)).toBe(true)
    const sources = PANELS.flatMap(({ targets = [] }) => targets.map(({ datasource }) => datasource.uid))
    expect(new Set(sources)).toEqual(new Set(['${datasource}']))
  })
})

test('docs/operations.md says where both are', () => {
  for (const name of ['alerts-sealift.yml', 'grafana-sealift.json']) expect(readPage('operations.md')).toContain(`deploy/${name}`)
})
