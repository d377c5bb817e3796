import type { TrustConfig } from '../../core/manifest/site-config.ts'
import { finding, type Finding } from './finding.ts'

/** Whether one lost key ends publishing, and one stolen key decides what is installed. */
export function lintTrust(trust: TrustConfig): readonly Finding[] {
  return [...lintSigners(trust), ...lintUpdates(trust), ...lintRoots(trust)]
}

function lintSigners({ catalogueSigners, artifactSigners, minSigners }: TrustConfig): readonly Finding[] {
  const subjects = [
    { what: 'the catalogue', signers: catalogueSigners.length, needed: minSigners.catalogue },
    { what: 'artifacts', signers: artifactSigners.length, needed: minSigners.artifacts },
  ]
  const tight = subjects.filter(({ signers, needed }) => signers <= needed).map(({ what }) => what)
  const loose = subjects.filter(({ needed }) => needed === 1).map(({ what }) => what)
  const found: Finding[] = []
  if (tight.length > 0)
    found.push(
      finding(
        'no-spare-signer',
        `Every signer of ${tight.join(' and of ')} is needed: when one cannot sign, nothing is published and the catalogue runs out. Name one more than \`minSigners\` asks for.`,
      ),
    )
  if (loose.length > 0)
    found.push(
      finding(
        'one-signer-decides',
        `One signature suffices for ${loose.join(' and for ')}, and so does one stolen key: consider \`minSigners\` of 2.`,
      ),
    )
  return found
}

function lintUpdates({ updates }: TrustConfig): readonly Finding[] {
  if (updates === undefined)
    return [
      finding(
        'no-trust-updates',
        "Nobody may change who signs but the portal's own origin, which may be down when a key is stolen: see docs/trust-updates.md.",
      ),
    ]
  const found: Finding[] = []
  if (updates.signers.length <= updates.minSigners)
    found.push(
      finding(
        'no-spare-trust-signer',
        'Every signer of trust updates is needed: when one key is lost, trust cannot be changed any more. Name one more.',
      ),
    )
  if (updates.minSigners === 1)
    found.push(finding('one-changes-trust', 'A single key may change whom everybody trusts: ask for two in `trust.updates.minSigners`.'))
  return found
}

function lintRoots({ trustedRoot, refresh }: TrustConfig): readonly Finding[] {
  const count = trustedRoot === undefined ? 0 : Array.isArray(trustedRoot) ? trustedRoot.length : 1
  if (count !== 1 || refresh !== undefined) return []
  return [
    finding(
      'trusted-root-fixed',
      'There is one trusted root and nothing refreshes it: when Sigstore changes its keys, new releases are refused until sealift.json is. Name `trust.refresh` (docs/trust-root-refresh.md).',
    ),
  ]
}
