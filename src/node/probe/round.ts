import type { Origin } from '../../core/manifest/catalogue.ts'

/** What is looked at, in this order. What follows from a failed one is not looked at. */
export const PROBE_CHECKS = ['reachable', 'catalogue', 'catalogue-headers', 'blob-headers', 'cors', 'ranges', 'blobs', 'challenge'] as const

export type ProbeCheck = (typeof PROBE_CHECKS)[number]

/** One look at one place. */
export interface ProbeRow {
  /** Its id. */
  readonly origin: string
  readonly check: ProbeCheck
  readonly ok: boolean
  /** For people: what was found. */
  readonly detail: string
  /** How long it took; of `reachable`, until the first byte. */
  readonly ms: number
}

/** What one place came to. */
export interface ProbedOrigin {
  readonly id: string
  readonly tier: Origin['tier']
  readonly url: string
  /** It answered, whatever it said. */
  readonly isUp: boolean
  readonly firstByteMs: number | undefined
  /** Of a catalogue whose signature holds. */
  readonly catalogueVersion: number | undefined
  /** Negative once it has expired. */
  readonly catalogueExpiresInSeconds: number | undefined
  readonly piecesChecked: number
  readonly piecesRotten: number
}

/** One look at all places. */
export interface ProbeRound {
  readonly ok: boolean
  readonly atSeconds: number
  /** The newest that any place has; undefined when none has one that can be believed. */
  readonly catalogue:
    | { readonly repository: string; readonly version: number; readonly expiresAtSeconds: number; readonly artifacts: number }
    | undefined
  readonly origins: readonly ProbedOrigin[]
  readonly rows: readonly ProbeRow[]
}
