/** `error`: clients cannot get it, or soon cannot. `warning`: one fault, or one stolen key, is enough for that. `advice`: worth a look. */
export type Severity = 'error' | 'warning' | 'advice'

const SEVERITIES = {
  'no-origin': 'error',
  'no-way-in': 'error',
  'catalogue-expired': 'error',
  'repository-other': 'error',
  'origins-elsewhere': 'warning',
  'single-way-in': 'warning',
  'single-origin': 'warning',
  'single-host': 'warning',
  'single-zone': 'warning',
  'single-operator': 'warning',
  'single-region': 'warning',
  'plain-http': 'warning',
  'no-gateway': 'warning',
  'gateway-blocked': 'warning',
  'single-tier': 'warning',
  'no-signaling': 'warning',
  'single-signaling': 'warning',
  'signaling-single-zone': 'warning',
  'no-local-signaling': 'warning',
  'plain-ws': 'warning',
  'no-turn': 'warning',
  'single-turn': 'warning',
  'no-spare-signer': 'warning',
  'no-trust-updates': 'warning',
  'no-spare-trust-signer': 'warning',
  'one-changes-trust': 'warning',
  'trusted-root-fixed': 'warning',
  'catalogue-in-grace': 'warning',
  'catalogue-ageing': 'warning',
  'catalogue-short': 'warning',
  'no-grace': 'warning',
  'nothing-offered': 'warning',
  'operator-unknown': 'advice',
  'region-unknown': 'advice',
  'tier-unused': 'advice',
  'mesh-off': 'advice',
  'one-signer-decides': 'advice',
  'grace-capped': 'advice',
  'rollout-partial': 'advice',
  'mesh-forbidden': 'advice',
  'catalogue-unseen': 'advice',
  'catalogue-unverified': 'advice',
  'configuration-unseen': 'advice',
} as const satisfies Readonly<Record<string, Severity>>

export type FindingCode = keyof typeof SEVERITIES

/** Something that would make an outage worse, and what to do about it. */
export interface Finding {
  readonly code: FindingCode
  readonly severity: Severity
  /** What is so, and what to do. */
  readonly message: string
}

export function finding(code: FindingCode, message: string): Finding {
  return { code, severity: SEVERITIES[code], message }
}

const ORDER: readonly Severity[] = ['error', 'warning', 'advice']

/** Worst first, else in the order in which they were found. */
export function worstFirst(findings: readonly Finding[]): readonly Finding[] {
  return ORDER.flatMap((severity) => findings.filter((one) => one.severity === severity))
}
