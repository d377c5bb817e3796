import type { Command } from 'commander'
import type { TrustConfig } from '../../core/manifest/site-config.ts'
import { describeSigner } from '../../core/verify/identity-policy.ts'
import { draftPolicy } from '../../node/trust/draft-policy.ts'
import { writePolicyFile } from '../../node/trust/policy-file.ts'
import { report, type Terminal } from '../terminal.ts'
import { collect } from '../values.ts'

interface Flags {
  readonly trustedRoot: string
  readonly catalogueBundle?: readonly string[]
  readonly out: string
  readonly json?: boolean
}

export function addPolicy(program: Command, terminal: Terminal): void {
  program
    .command('policy')
    .description('draft a policy file from bundles of a release that you know to be yours')
    .argument('<bundle...>', 'Sigstore bundles of release files, as cosign wrote them or `gh attestation download` fetched them')
    .requiredOption('--trusted-root <file>', 'trusted_root.json of the Sigstore instance, or the .jsonl of `gh attestation trusted-root`')
    .requiredOption('--out <file>', 'where to write the policy file')
    .option('--catalogue-bundle <file>', 'a bundle of whoever signs the catalogue, if that is somebody else; repeat for several', collect)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nThe draft repeats what the bundles claim. Read it: that these names are yours, nobody else can say.\n\nExample:\n  sealift policy agent.tgz.sigstore.json --trusted-root trusted_root.json --out policy.json\n  sealift verify agent.tgz --bundle agent.tgz.sigstore.json --policy policy.json',
    )
    .action(async (bundles: readonly string[], flags: Flags) => {
      const { trustedRoot: trustedRootPath, catalogueBundle: catalogueBundles = [] } = flags
      const trust = await draftPolicy({ artifactBundles: bundles, catalogueBundles, trustedRootPath })
      await writePolicyFile(flags.out, trust)
      report(terminal, flags.json === true, { lines: describe(trust, flags.out), json: { policy: flags.out } })
    })
}

function describe(trust: TrustConfig, path: string): readonly string[] {
  const { thresholds, provenance } = trust
  const builder = provenance.required ? [`provenance of ${provenance.buildType}, from ${provenance.source.uri ?? 'any source'}`] : []
  return [
    `policy     ${path}`,
    ...trust.artifactSigners.map((signer) => `artifacts  ${describeSigner(signer)}`),
    ...trust.catalogueSigners.map((signer) => `catalogue  ${describeSigner(signer)}`),
    ...builder,
    `witnesses  log ${thresholds.log}, certificate timestamps ${thresholds.sct}, time stamps ${thresholds.timestamp}`,
    'Read it: it repeats what the bundles claim. That these names are yours, nobody else can say.',
  ]
}
