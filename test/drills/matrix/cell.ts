import type { Browser } from 'puppeteer-core'
import type { SourceCounts } from '../scenario.ts'
import type { MatrixRoom } from './matrix-room.ts'

/** What a cell finds. */
export interface CellTools {
  readonly room: MatrixRoom
  /** The browser of its group, in which a cell leaves no page open; or, with arguments, one of its own, which is closed after it. */
  launch(args?: readonly string[]): Promise<Browser>
  /** Ends when the cell has taken too long. */
  readonly signal: AbortSignal
}

/** What came of one way to bring a fault about. */
export interface VariantOutcome {
  readonly fault: string
  /** From the fault to the first verified piece from elsewhere. Null where nothing had to recover. */
  readonly recoveryMs: number | null
  readonly sources: SourceCounts
  /** Received and of no use. */
  readonly wastedBytes: number
}

export type MatrixGroup = 'cdn' | 'gateway' | 'nginx' | 'lna' | 'cdn-firefox' | 'gateway-firefox'

/** One fault at one place, brought about in every way that it is known by. `run` throws when something promised does not hold. */
export interface MatrixCell {
  readonly group: MatrixGroup
  readonly name: string
  /** What is done about it, for docs/outages.md. */
  readonly does: string
  /** Undefined where nothing has to recover. */
  readonly limitMs: number | undefined
  run(tools: CellTools): Promise<readonly VariantOutcome[]>
}
