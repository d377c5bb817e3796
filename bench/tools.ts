import type { FoundBrowser } from '../test/drills/browser.ts'

/** What a bench is given of `scripts/`, which is not built. */
export interface BenchTools {
  /** Undefined when there is none on this machine. */
  readonly browser: FoundBrowser | undefined
  /** Where Firefox is. Undefined when there is none on this machine. */
  readonly firefox: string | undefined
  /** One script of a built entry; `name` is the global that holds its exports. */
  readonly bundle: (options: { readonly entry: string; readonly name: string }) => Promise<string>
}
