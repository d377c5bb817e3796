import { medianOf, round2 } from '../contest.ts'
import type { BenchOutput } from '../output.ts'
import type { Transfer } from './contestant.ts'
import { LINE_MBPS, type Setup } from './setups.ts'

/** What one set-up gave. */
export interface Measured {
  readonly setup: Setup
  /** By contestant. */
  readonly transfers: Map<string, readonly Transfer[]>
  /** Who could not take part, and why. */
  readonly remarks: string[]
}

interface Figures {
  readonly mbps: number
  readonly range: readonly [number, number]
  readonly cpuSeconds: number
  readonly firstByteMs: number | null
  readonly firstByteAfterJoinMs: number | null
  readonly longestTaskMs: number
}

interface Row {
  readonly setup: Setup['name']
  readonly seeders: number
  readonly mib: number
  readonly rawMBps: number | null
  readonly webtorrentMBps: number | null
  readonly sealiftMBps: number | null
  /** What `toLimit` is of: the raw channel, or the line where there is one. */
  readonly limitMBps: number | null
  readonly toLimit: number | null
  readonly toWebTorrent: number | null
  readonly cpuToWebTorrent: number | null
  readonly contestants: Readonly<Record<string, Figures>>
}

const TASK_MS = 50
const FIRST_BYTE_MS = 100

export function reportMesh(all: readonly Measured[], mib: number): BenchOutput {
  const rows = all.map((one) => rowOf(one, mib))
  return {
    lines: [
      ...rows.flatMap((row) =>
        Object.entries(row.contestants).map(([name, one]) =>
          [
            row.setup.padEnd(14),
            name.padEnd(16),
            `${one.mbps} MB/s [${one.range.join('–')}]`.padEnd(28),
            `${one.cpuSeconds} CPU s`.padEnd(12),
            `first byte ${one.firstByteMs} ms${one.firstByteAfterJoinMs === null ? '' : `, ${one.firstByteAfterJoinMs} ms after the join`}`,
            `longest task ${one.longestTaskMs} ms`,
          ].join('  '),
        ),
      ),
      '',
      ...rows.flatMap(verdictsOf),
      ...all.flatMap(({ setup, remarks }) => remarks.map((remark) => `${setup.name}: ${remark}`)),
    ],
    result: { bench: 'mesh', rows },
  }
}

function rowOf({ setup, transfers }: Measured, mib: number): Row {
  const figures = new Map([...transfers].map(([name, runs]) => [name, figuresOf(runs)] as const))
  const raws = [...figures].filter(([name]) => name.startsWith('raw')).map(([, { mbps }]) => mbps)
  const raw = raws.length === 0 ? null : Math.max(...raws)
  const [rival, ours] = [figures.get('WebTorrent'), figures.get('Sealift')]
  const limit = setup.path?.bytesPerMs === undefined ? raw : LINE_MBPS
  return {
    setup: setup.name,
    seeders: setup.seeders,
    mib,
    rawMBps: raw,
    webtorrentMBps: rival?.mbps ?? null,
    sealiftMBps: ours?.mbps ?? null,
    limitMBps: limit,
    toLimit: ratio(ours?.mbps, limit),
    toWebTorrent: ratio(ours?.mbps, rival?.mbps),
    cpuToWebTorrent: ratio(ours?.cpuSeconds, rival?.cpuSeconds),
    contestants: Object.fromEntries(figures),
  }
}

function figuresOf(runs: readonly Transfer[]): Figures {
  const rates = runs.map(({ bytes, tookMs }) => bytes / 1000 / tookMs)
  const first = (values: readonly (number | undefined)[]): number | null => {
    const known = values.filter((value) => value !== undefined)
    return known.length === 0 ? null : Math.round(medianOf(known))
  }
  return {
    mbps: round2(medianOf(rates)),
    range: [round2(Math.min(...rates)), round2(Math.max(...rates))],
    cpuSeconds: round2(medianOf(runs.map(({ cpuSeconds }) => cpuSeconds))),
    firstByteMs: first(runs.map(({ firstByteMs }) => firstByteMs)),
    firstByteAfterJoinMs: first(runs.map(({ firstByteAfterJoinMs }) => firstByteAfterJoinMs)),
    longestTaskMs: Math.round(medianOf(runs.map(({ longestTaskMs }) => longestTaskMs))),
  }
}

function ratio(ours: number | undefined, theirs: number | undefined | null): number | null {
  return ours === undefined || theirs === undefined || theirs === null ? null : round2(ours / theirs)
}

function verdictsOf(row: Row): readonly string[] {
  const ours = row.contestants['Sealift']
  const line = (value: number | null, isHeld: (value: number) => boolean, text: string): readonly string[] =>
    value === null ? [] : [`${isHeld(value) ? 'holds ' : 'MISSED'} ${row.setup}: ${value} ${text}`]
  const atLeast = (value: number | null, least: number, text: string): readonly string[] =>
    line(value, (one) => one >= least, `${text}, at least ${least}`)
  const atMost = (value: number | null, most: number, text: string): readonly string[] =>
    line(value, (one) => one <= most, `${text}, at most ${most}`)
  if (row.setup.startsWith('relay')) {
    const far = row.setup === 'relay-30' ? atLeast(row.toWebTorrent, 3, 'x WebTorrent') : []
    return [...atLeast(row.toLimit, 0.85, 'of the line'), ...far]
  }
  if (row.setup.startsWith('delay')) return atLeast(row.toLimit, 1, 'x the best fixed window')
  return [
    ...atLeast(row.toLimit, 0.9, 'of the raw channel'),
    ...atLeast(row.toWebTorrent, 1.45, 'x WebTorrent'),
    ...atMost(row.cpuToWebTorrent, 0.7, "of WebTorrent's processor time"),
    ...atMost(ours?.longestTaskMs ?? null, TASK_MS, 'ms, the longest task of ours'),
    ...atMost(ours?.firstByteAfterJoinMs ?? null, FIRST_BYTE_MS, 'ms to the first byte after the join'),
  ]
}
