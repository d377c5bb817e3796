import type { Aria2Run } from './aria2.ts'
import { badSources, SIZES, type FaultRow, type Size } from './fault-rows.ts'
import type { ArtifactRun } from './portal.ts'
import { spreadOf, type Spread } from '../../test/measure/spread.ts'

const MIB = 1024 * 1024
const NOT_SLOWER = 1.05
const HARD_ERROR_EXTRA_S = 0.2

/** What the rounds of one row have shown. */
export interface Figures {
  readonly row: FaultRow
  readonly size: Size
  readonly idealS: number
  readonly aria2: (Aria2Run & Waste)[]
  readonly tuned: (Aria2Run & Waste)[]
  readonly ours: (ArtifactRun & Waste & Asked)[]
  /** Seconds of ours with the good sources alone. */
  readonly goodOnly: number[]
}

interface Waste {
  /** Bytes of the artifact that left the sources, beyond its size. */
  readonly wastedBytes: number
}

interface Asked {
  readonly artifactRequests: number
  readonly requests: readonly { readonly atMs: number; readonly text: string }[]
}

interface Terms {
  readonly limitMs: number
}

interface Times {
  readonly spread: Spread
  /** `>= 30`: most were stopped or gave up, so that the median is a floor. */
  readonly text: string
}

export interface Verdict {
  readonly isHeld: boolean
  readonly text: string
}

export function judgeRow(figures: Figures, terms: Terms & { readonly healthySmall: Figures | undefined }): readonly Verdict[] {
  const { row, size, ours, aria2, goodOnly, idealS } = figures
  const where = `${sizeName(size)}, ${row.name}`
  const seconds = median(ours.map(({ tookMs }) => tookMs / 1000))
  const ratios = spreadOf(pairs(figures, terms))
  const verdicts: Verdict[] = [
    {
      isHeld: !(ratios.low > NOT_SLOWER),
      text: `${where}: ${range(ratios)} of the time of aria2, not wholly above ${NOT_SLOWER}`,
    },
  ]
  const most = (value: number, limit: number, what: string): void => {
    verdicts.push({ isHeld: value <= limit, text: `${where}: ${what}, at most ${limit}` })
  }
  if (size === 'large' && row.mostOfIdeal !== undefined)
    most(seconds / idealS, row.mostOfIdeal, `${fixed(seconds / idealS)} of the ideal time`)
  if (size === 'small' && row.mostSmallS !== undefined) most(seconds, row.mostSmallS, `${fixed(seconds)} s`)
  if (size === 'small' && row.isHardError === true && terms.healthySmall !== undefined) {
    const extra = seconds - median(terms.healthySmall.ours.map(({ tookMs }) => tookMs / 1000))
    most(extra, HARD_ERROR_EXTRA_S, `${fixed(extra)} s more than without a fault`)
  }
  if (row.fasterThanAria2 !== undefined && aria2.length > 0) {
    const faster = 1 / ratios.median
    verdicts.push({
      isHeld: faster >= row.fasterThanAria2,
      text: `${where}: ${fixed(faster)} times as fast as aria2, at least ${row.fasterThanAria2}`,
    })
  }
  if (row.mostOfGoodOnly !== undefined) {
    const ofGood = median(ours.map(({ tookMs }, round) => tookMs / 1000 / (goodOnly[round] ?? Number.NaN)))
    most(ofGood, row.mostOfGoodOnly, `${fixed(ofGood)} of the time of the good sources alone`)
  }
  const bad = badSources(row, size)
  if (bad > 0) {
    const pieces = median(ours.map(({ wastedBytes }) => wastedBytes)) / SIZES[size].pieceLengthBytes
    most(pieces, bad, `${fixed(pieces)} pieces wasted`)
  }
  return verdicts
}

/** Ours against aria2, round by round: what is busy in a round is busy for both. */
function pairs({ ours, aria2 }: Figures, { limitMs }: Terms): readonly number[] {
  return ours.map(({ tookMs }, round) => tookMs / timeOf(aria2[round], limitMs))
}

/** One that was stopped, or that gave up and left nothing, counts with all the time that it was given. */
function timeOf(run: Aria2Run | undefined, limitMs: number): number {
  return run?.isRight === true ? run.tookMs : limitMs
}

export function printRow(figures: Figures, terms: Terms): readonly string[] {
  const { row, size, idealS, aria2, tuned, ours, goodOnly } = figures
  const spread = spreadOf(ours.map(({ tookMs }) => tookMs / 1000))
  const parts = [
    `${sizeName(size)}, ${row.name}`.padEnd(46),
    `ideal ${fixed(idealS)}`,
    `aria2 ${timesOf(aria2, terms).text}`,
    `tuned ${timesOf(tuned, terms).text}`,
    `Sealift ${range(spread)} s`,
    `ratio ${range(spreadOf(pairs(figures, terms)))}`,
    `wasted ${mib(median(ours.map(({ wastedBytes }) => wastedBytes)))} (aria2 ${mib(median(aria2.map(({ wastedBytes }) => wastedBytes)))}) MiB`,
    `${median(ours.map(({ artifactRequests }) => artifactRequests))} requests`,
    ...(goodOnly.length === 0 ? [] : [`good alone ${fixed(median(goodOnly))} s`]),
    ...[aria2, tuned].flatMap((runs, at) => {
      const given = gaveUp(runs)
      return given === 0 ? [] : [`${at === 0 ? 'aria2' : 'tuned'} gave up ${given} times`]
    }),
  ]
  return [parts.join('  ')]
}

export function toResult(figures: Figures, terms: Terms): object {
  const { row, size, idealS, aria2, tuned, ours, goodOnly } = figures
  const ratios = spreadOf(pairs(figures, terms))
  return {
    size,
    fault: row.name,
    idealS: Number(fixed(idealS)),
    aria2S: Number(fixed(timesOf(aria2, terms).spread.median)),
    aria2TunedS: Number(fixed(timesOf(tuned, terms).spread.median)),
    sealiftS: Number(fixed(median(ours.map(({ tookMs }) => tookMs / 1000)))),
    wastedBytes: median(ours.map(({ wastedBytes }) => wastedBytes)),
    aria2Stopped: aria2.filter(({ isStopped }) => isStopped).length,
    aria2GaveUp: gaveUp(aria2),
    aria2TunedStopped: tuned.filter(({ isStopped }) => isStopped).length,
    aria2TunedGaveUp: gaveUp(tuned),
    aria2WastedBytes: median(aria2.map(({ wastedBytes }) => wastedBytes)),
    requests: median(ours.map(({ artifactRequests }) => artifactRequests)),
    ratio: { median: Number(fixed(ratios.median)), low: Number(fixed(ratios.low)), high: Number(fixed(ratios.high)), rounds: ours.length },
    ...(goodOnly.length === 0 ? {} : { goodOnlyS: Number(fixed(median(goodOnly))) }),
  }
}

/** It ended by itself and left no file, or a wrong one. */
function gaveUp(runs: readonly Aria2Run[]): number {
  return runs.filter(({ isRight, isStopped }) => !isRight && !isStopped).length
}

function timesOf(runs: readonly Aria2Run[], { limitMs }: Terms): Times {
  const spread = spreadOf(runs.map((run) => timeOf(run, limitMs) / 1000))
  const isFloor = runs.filter(({ isRight }) => !isRight).length * 2 >= runs.length
  return { spread, text: `${isFloor ? '>= ' : ''}${fixed(spread.median)} s` }
}

function median(values: readonly number[]): number {
  return spreadOf(values).median
}

function sizeName(size: Size): string {
  return size === 'small' ? '200 KiB' : '64 MiB'
}

function fixed(value: number): string {
  return value.toFixed(3)
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(2)
}

/** Median with its 90 % interval, or of few rounds with the whole range, in square brackets. */
function range({ median: middle, low, high, isInterval }: Spread): string {
  const [open, close] = isInterval ? ['(', ')'] : ['[', ']']
  return `${fixed(middle)} ${open}${fixed(low)} to ${fixed(high)}${close}`
}
