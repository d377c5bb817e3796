import type { LineShape } from '../../test/faults/line.ts'

const KIB = 1024

/** How the raw channel is driven: what may be under way on one connection, and how many there are to each seeder. */
export interface RawShape {
  readonly windowBytes: number
  readonly connections: number
}

/** Who stands where, and what lies between. */
export interface Setup {
  readonly name: SetupName
  readonly seeders: number
  /** Each page in a browser of its own. */
  readonly isSeparate: boolean
  /** Undefined: loopback, without a relay. */
  readonly path: LineShape | undefined
  /** The best of them is the limit. */
  readonly raw: readonly RawShape[]
}

export const SETUP_NAMES = ['one-browser', 'three-seeders', 'separate', 'relay-5', 'relay-15', 'relay-30', 'delay-20', 'delay-50'] as const
export type SetupName = (typeof SETUP_NAMES)[number]

/** 100 Mbit/s. */
export const LINE_MBPS = 12.5
const QUEUE_BYTES = 256 * KIB

export function setupOf(name: SetupName): Setup {
  const near = { name, seeders: 1, isSeparate: false, path: undefined }
  switch (name) {
    case 'one-browser':
      return { ...near, raw: windows(512, 1024) }
    case 'three-seeders':
      return { ...near, seeders: 3, raw: windows(128, 256) }
    case 'separate':
      return { ...near, isSeparate: true, raw: windows(512, 1024) }
    case 'relay-5':
    case 'relay-15':
    case 'relay-30': {
      const path = { bytesPerMs: LINE_MBPS * 1000, queueBytes: QUEUE_BYTES, delayMs: roundTripMs(name) / 2 }
      return { ...near, path, raw: windows(256, 512) }
    }
    case 'delay-20':
    case 'delay-50': {
      const path = { bytesPerMs: undefined, queueBytes: 0, delayMs: roundTripMs(name) / 2 }
      return { ...near, path, raw: [1, 2, 4].map((connections) => ({ windowBytes: 256 * KIB, connections })) }
    }
  }
}

function windows(...kib: readonly number[]): readonly RawShape[] {
  return kib.map((one) => ({ windowBytes: one * KIB, connections: 1 }))
}

function roundTripMs(name: SetupName): number {
  return Number(name.split('-')[1])
}
