import type { CatalogueEntry } from 'sealift/node'
import type { Stack } from '../../demo/stack/stack.ts'
import type { BrowserChoices, DrillBrowser } from './browser.ts'
import type { Receiver } from './receiver.ts'

/** What every scenario finds: a stack as it was at the start, and a way to get browsers that are closed afterwards. */
export interface DrillRoom {
  readonly stack: Stack
  readonly receiver: Receiver
  /** The 90 MiB artifact, and the small one. */
  readonly agent: CatalogueEntry
  readonly small: CatalogueEntry
  /** A Chromium with a profile of its own, or with one that an earlier browser left. */
  launch(choices?: BrowserChoices): Promise<DrillBrowser>
  /** Opens one page in a Firefox that nobody drives. @throws {Error} when there is none */
  openFirefox(url: string): Promise<void>
  /** Opens one page in a Chromium that nobody drives. */
  openChromium(url: string): Promise<void>
  /** Ends when the scenario has taken too long. */
  readonly signal: AbortSignal
}

/** Pieces by tier, as the audit record tells. */
export interface SourceCounts {
  readonly cdn: number
  readonly gateway: number
  readonly mesh: number
}

export interface Outcome {
  /** From the fault to the first verified piece from elsewhere; null where nothing had to recover. */
  readonly recoveryMs: number | null
  readonly sources: SourceCounts
}

/** One thing that can go wrong, and what has to come of it. `run` throws when it does not. */
export interface Scenario {
  readonly group: 'basic' | 'resume' | 'refusal' | 'bypass' | 'client' | 'peers' | 'signaling' | 'long'
  readonly name: string
  /** What not every machine has: without it, the scenario is not run. */
  readonly needs?: 'firefox' | 'libfaketime'
  run(room: DrillRoom): Promise<Outcome>
}

export const NO_SOURCES: SourceCounts = { cdn: 0, gateway: 0, mesh: 0 }

/** @throws {Error} with `claim` in it, when it does not hold */
export function demand(isTrue: boolean, claim: string): void {
  if (!isTrue) throw new Error(`not so: ${claim}`)
}
