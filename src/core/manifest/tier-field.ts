import type { Tier } from '../ports.ts'
import type { JsonField } from '../json/json-field.ts'

const TIERS = ['cdn', 'gateway', 'mesh'] as const

/** Order of tiers: at least one, each at most once. */
export function readTiers(field: JsonField): readonly Tier[] {
  const tiers = field.list(TIERS.length).map((item) => item.oneOf(TIERS))
  if (tiers.length === 0) throw field.refuse('expected at least one tier')
  if (new Set(tiers).size < tiers.length) throw field.refuse('expected each tier once')
  return tiers
}
