import type { Fault } from './fault-farm.ts'

export type Size = 'small' | 'large'

const KIB = 1024
const MIB = 1024 * KIB
export const RATE = 8 * MIB
/** The pieces are as large as a publisher would make them, or an nginx slice is. */
export const SIZES: Readonly<Record<Size, { readonly sizeBytes: number; readonly pieceLengthBytes: number }>> = {
  small: { sizeBytes: 200 * KIB, pieceLengthBytes: 64 * KIB },
  large: { sizeBytes: 64 * MIB, pieceLengthBytes: MIB },
}

/** One way to fail, and what may be expected of whoever downloads meanwhile. */
export interface FaultRow {
  readonly name: string
  /** Of the sources in their order: the bad ones first, since whoever asks them one by one asks the first. */
  readonly faults: (size: Size) => readonly Fault[]
  /** How much of the file the first source gives before it fails; the rest of them is as fast as it says. */
  readonly ideal: 'shared' | 'alone' | 'six-tenths-of-its-half'
  /** Most, as a multiple of the ideal time, for 64 MiB. */
  readonly mostOfIdeal?: number
  /** Most seconds for 200 KiB. */
  readonly mostSmallS?: number
  /** It says at once that it fails: 200 KiB may take 0.2 s longer than without. */
  readonly isHardError?: true
  /** At least this much faster than aria2 with its defaults. */
  readonly fasterThanAria2?: number
  /** The row beside it has the good sources alone, and takes this much less at most. */
  readonly mostOfGoodOnly?: number
}

/** What a source has given when it has given six tenths of its half. */
const sixTenths = (size: Size): number => Math.floor((SIZES[size].sizeBytes / 2) * 0.6)
const first = (fault: Fault) => (): readonly Fault[] => [fault, 'none']

export const FAULT_ROWS: readonly FaultRow[] = [
  { name: 'none', faults: first('none'), ideal: 'shared', mostOfIdeal: 1.1 },
  { name: 'refused', faults: first('refused'), ideal: 'alone', isHardError: true },
  { name: 'DNS fails', faults: first('dns-fails'), ideal: 'alone', isHardError: true },
  {
    name: 'dies at 60 %',
    faults: (size) => [{ dieAfterBytes: sixTenths(size) }, 'none'],
    ideal: 'six-tenths-of-its-half',
    mostOfIdeal: 1.1,
    isHardError: true,
  },
  {
    name: 'stalls at 60 %',
    faults: (size) => [{ stallAfterBytes: sixTenths(size) }, 'none'],
    ideal: 'six-tenths-of-its-half',
    mostOfIdeal: 1.15,
    mostSmallS: 0.7,
    fasterThanAria2: 1.5,
  },
  { name: 'hangs', faults: first('hang'), ideal: 'alone', mostOfIdeal: 1.1, mostSmallS: 0.7 },
  { name: '10 kB/s', faults: first('slow'), ideal: 'alone', mostOfIdeal: 1.1, mostSmallS: 1.5, fasterThanAria2: 1.5 },
  { name: '503', faults: first('status-503-retry-after'), ideal: 'alone', isHardError: true },
  { name: 'HTML 200', faults: first('html'), ideal: 'alone', isHardError: true },
  { name: 'wrong bytes', faults: first('wrong-bytes'), ideal: 'alone', mostOfIdeal: 1.12, isHardError: true },
  { name: 'cut at 4 MiB', faults: first({ cutEveryBytes: 4 * MIB }), ideal: 'shared', mostOfIdeal: 1.45 },
  { name: 'RST', faults: first('reset'), ideal: 'alone', isHardError: true },
  { name: 'ignores Range', faults: first('range-ignored'), ideal: 'alone', isHardError: true },
]

/** Five sources, three of them bad: for 64 MiB only. */
export const MAJORITY_ROWS: readonly FaultRow[] = [
  {
    name: '3 of 5: wrong bytes, hangs, 10 kB/s',
    faults: () => ['wrong-bytes', 'hang', 'slow', 'none', 'none'],
    ideal: 'shared',
    mostOfGoodOnly: 1.15,
  },
  {
    name: '3 of 5: wrong bytes',
    faults: () => ['wrong-bytes', 'wrong-bytes', 'wrong-bytes', 'none', 'none'],
    ideal: 'shared',
    mostOfGoodOnly: 1.15,
  },
]

/** Seconds that a downloader needs who knows beforehand who will fail when, from the shaping alone. */
export function idealS({ ideal }: FaultRow, size: Size): number {
  const { sizeBytes } = SIZES[size]
  switch (ideal) {
    case 'shared':
      return sizeBytes / (2 * RATE)
    case 'alone':
      return sizeBytes / RATE
    case 'six-tenths-of-its-half':
      return (sizeBytes - sixTenths(size)) / RATE
  }
}

/** Sources that fail by themselves, each of which may cost one piece. */
export function badSources(row: FaultRow, size: Size): number {
  return row.faults(size).filter((fault) => fault !== 'none').length
}
