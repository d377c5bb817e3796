import type { MatrixCell, MatrixGroup } from './cell.ts'
import type { MatrixRow } from './run-matrix.ts'

/** Between these lines of docs/outages.md stands what the drill measured. */
const [BEGIN, END] = ['<!-- measured: npm run drill -- --write-docs -->', '<!-- end -->']

export interface Measured {
  readonly rows: readonly MatrixRow[]
  readonly repeat: number
}

interface Section {
  readonly title: string
  /** One column each. */
  readonly groups: readonly (readonly [group: MatrixGroup, head: string])[]
}

const SECTIONS: readonly Section[] = [
  {
    title: 'A CDN origin or a gateway fails',
    groups: [
      ['cdn', 'CDN'],
      ['gateway', 'gateway'],
      ['cdn-firefox', 'CDN, Firefox'],
      ['gateway-firefox', 'gateway, Firefox'],
    ],
  },
  { title: 'Behind the shipped nginx', groups: [['nginx', 'ms']] },
  { title: 'An https portal and a gateway on http', groups: [['lna', 'ms']] },
]

/**
 * The page with its tables made anew. A cell that was not measured this time keeps no figure: a page of two runs would compare what cannot be
 * compared.
 * @throws {RangeError} when the page has lost its markers
 */
export function writeOutages(page: string, cells: readonly MatrixCell[], measured: Measured): string {
  const [start, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (start === -1 || end < start) throw new RangeError(`expected a page with ${BEGIN} and ${END}`)
  const tables = SECTIONS.map((section) => tableOf(section, cells, measured))
  return [page.slice(0, start) + BEGIN, runWords(measured), ...tables, page.slice(end)].join('\n\n')
}

function runWords({ rows, repeat }: Measured): string {
  const browsers = [...new Set(rows.map(({ browser }) => browser))].toSorted()
  return `${browsers.join(', ')}; ${repeat === 1 ? 'one run of each, the best of up to five where the first was late' : `${repeat} runs of each`}.`
}

function tableOf({ title, groups }: Section, cells: readonly MatrixCell[], { rows, repeat }: Measured): string {
  const first = cells.filter(({ group }) => group === groups[0]?.[0])
  const lines = first.map(({ name, does, limitMs }) => {
    const measured = groups.map(([group]) =>
      figureOf(
        rows.find((row) => row.group === group && row.name === name),
        repeat,
      ),
    )
    return [name, does, limitMs === undefined ? '' : String(limitMs), ...measured]
  })
  const head = ['What is wrong', 'What is done', 'deadline, ms', ...groups.map(([, words]) => words)]
  const table = [head, head.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`)
  return [`## ${title}`, '', ...table].join('\n')
}

/** `median / 95th percentile`, or the one figure of a single run. */
function figureOf(row: MatrixRow | undefined, repeat: number): string {
  if (row === undefined) return ''
  const { matrix, recoveryMs } = row
  if (matrix === null) return 'failed'
  if (recoveryMs === null) return 'ok'
  return repeat === 1 ? String(recoveryMs) : `${matrix.p50Ms} / ${matrix.p95Ms}`
}
