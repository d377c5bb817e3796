import type { DeliveryPolicy } from '../core/plan/policy.ts'
import type { DeliveryTools } from '../scheduler/delivery-state.ts'
import type { EngineParts } from './parts.ts'

/** What the scheduler is given for one task. */
export function deliveryTools(parts: EngineParts, policy: DeliveryPolicy): DeliveryTools {
  const { hub, reputation, clock, random, hasher } = parts
  return { sources: hub, policy, reputation, clock, random, hasher }
}
