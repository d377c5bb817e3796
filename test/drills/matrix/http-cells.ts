import type { MatrixCell, VariantOutcome } from './cell.ts'
import { runVariant, type FaultyTier } from './http-cell.ts'
import { HTTP_FAULTS } from './http-faults.ts'

/** C01 to C22, at a CDN origin with a healthy gateway behind it, or at a gateway with a healthy second one behind it and the CDN down. */
export function httpCells(tier: FaultyTier, suffix: '' | '-firefox'): readonly MatrixCell[] {
  return HTTP_FAULTS.map(({ id, name, does, limitMs, variants }) => ({
    group: `${tier}${suffix}`,
    name: `${id} ${name}`,
    does,
    limitMs,
    async run(tools) {
      const outcomes: VariantOutcome[] = []
      for (const variant of variants) outcomes.push(await runVariant(tools, tier, variant))
      return outcomes
    },
  }))
}
