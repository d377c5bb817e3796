import { deliveryPolicy } from '../../core/plan/policy.ts'
import { finding, type Finding } from './finding.ts'
import type { LintSubject } from './subject.ts'

/** Whether what is named may be used. */
export function lintTiers({ config, catalogue }: LintSubject): readonly Finding[] {
  if (config === undefined) return []
  const { tiers } = deliveryPolicy(config.preset, config.tiers, catalogue?.delivery.tiers)
  const [only, ...others] = tiers
  const single =
    others.length > 0
      ? []
      : [finding('single-tier', `Only the tier ${only} may be used, whatever else is named: widen \`tiers\` or \`preset\`.`)]
  const named = [
    { tier: 'cdn', isNamed: config.origins.length > 0 },
    { tier: 'gateway', isNamed: config.gateways.length > 0 },
    { tier: 'mesh', isNamed: config.mesh.mode !== 'off' },
  ] as const
  const unused = named.filter(({ tier, isNamed }) => isNamed && !tiers.includes(tier)).map(({ tier }) => tier)
  return unused.length === 0
    ? single
    : [
        ...single,
        finding(
          'tier-unused',
          `What is named of the tier ${unused.join(' and of ')} is never asked: \`tiers\` or \`preset\` leave it out.`,
        ),
      ]
}
